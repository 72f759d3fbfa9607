import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { makeDataDirectory } from './data-directory.ts';
import { findBinaries, run, serverAccount } from './server-process.ts';

test.runIf(process.getuid?.() === 0)(
  'initdb finds its programs in a checkout below /root, a directory that only root may enter',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'loam-private-'));
    const file = join(directory, 'program');
    await writeFile(file, '', { mode: 0o755 });
    // initdb asks access(2), as this does.
    const asks = `require('node:fs').accessSync(${JSON.stringify(file)}, require('node:fs').constants.X_OK)`;
    await expect(run(process.execPath, ['-e', asks], await serverAccount())).resolves.toBeUndefined();
    await rm(directory, { recursive: true });
  },
);

test.runIf(process.getuid?.() === 0)(
  "a server works in a directory that only root may enter, and may write nothing that is not its account's",
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'loam-private-'));
    const foreign = join(directory, 'foreign');
    await writeFile(foreign, '', { mode: 0o644 });
    const account = await serverAccount();
    const { initdb } = await findBinaries();
    const data = join(directory, 'data');
    // It runs the server to fill the directory.
    await makeDataDirectory({ directory: data, initdb, account, user: 'u', password: 'p', flags: ['--no-sync'] });
    expect((await stat(join(data, 'PG_VERSION'))).uid).toBe(account?.uid);
    const writes = `require('node:fs').accessSync(${JSON.stringify(foreign)}, require('node:fs').constants.W_OK)`;
    await expect(run(process.execPath, ['-e', writes], account)).rejects.toThrow('EACCES');
    await rm(directory, { recursive: true });
  },
);

test.runIf(process.getuid?.() === 0)('a server keeps the account that its data directory belongs to', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'loam-data-'));
  // Just made, and still root's: nobody's choice.
  expect(await serverAccount(directory)).toEqual(await serverAccount());
  await chown(directory, 12_345, 12_346);
  expect(await serverAccount(directory)).toEqual({ uid: 12_345, gid: 12_346 });
  await rm(directory, { recursive: true });
  expect(await serverAccount(directory)).toEqual(await serverAccount());
});
