import { storeConformance } from '@loam/backend/testsuite';

import { onGround } from './grounded-store.ts';
import { hostFiles } from './host-files.ts';
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
    hostFiles,
    close: test.close,
  };
});
