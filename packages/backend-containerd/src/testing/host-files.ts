import { readFile, stat, writeFile } from 'node:fs/promises';

import type { StoreHarness } from '@loam/backend/testsuite';

/** Caches' files for the store's suite, where their directories are directories of this host. */
export const hostFiles: StoreHarness['hostFiles'] = {
  write: (path, text) => writeFile(path, text),
  read: (path) => readFile(path, 'utf8').catch(() => undefined),
  stat: async (path) => {
    const found = await stat(path).catch(() => undefined);
    return found && { uid: found.uid, gid: found.gid, mode: found.mode & 0o7777 };
  },
};
