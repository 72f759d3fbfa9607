import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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
