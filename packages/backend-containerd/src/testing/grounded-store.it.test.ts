import { readFile, stat, writeFile } from 'node:fs/promises';

import { storeConformance } from '@loam/backend/testsuite';

import { onGround } from './grounded-store.ts';
import { openModelBackend, windowsBase } from './model-backend.ts';

// What the store's suite meets on a real Windows host (real-containerd.windows.it.test.ts): nothing runs but on a base image.
storeConformance('HCS on a model of Windows containerd, on the ground of a base image', async () => {
  const test = await openModelBackend();
  const base = await windowsBase(test);
  return {
    files: 'windows',
    store: await onGround(test.backend.store, base),
    crash: async () => onGround((await test.crash()).store, base),
    collectGarbage: () => test.model.collectGarbage(),
    leftovers: test.leftovers,
    plantForeign: () => Promise.resolve({ intact: () => Promise.resolve(true) }),
    hostFiles: {
      write: (path, text) => writeFile(path, text),
      read: (path) => readFile(path, 'utf8').catch(() => undefined),
      stat: async (path) => {
        const found = await stat(path).catch(() => undefined);
        return found && { uid: found.uid, gid: found.gid, mode: found.mode & 0o7777 };
      },
    },
    close: test.close,
  };
});
