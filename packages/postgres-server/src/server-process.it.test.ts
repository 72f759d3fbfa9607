import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { run, serverAccount } from './server-process.ts';

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

test.runIf(process.getuid?.() === 0)('a server keeps the account that its data directory belongs to', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'loam-data-'));
  // Just made, and still root's: nobody's choice.
  expect(await serverAccount(directory)).toEqual(await serverAccount());
  await chown(directory, 12_345, 12_346);
  expect(await serverAccount(directory)).toEqual({ uid: 12_345, gid: 12_346 });
  await rm(directory, { recursive: true });
  expect(await serverAccount(directory)).toEqual(await serverAccount());
});
