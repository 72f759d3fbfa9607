import { startContainerd, type ContainerdServer } from '@loam/testkit';
import { afterAll, beforeAll } from 'vitest';

import { registryFetcherSuite } from './testing/registry-fetcher-suite.ts';
import { openTestBackend, testPlatform } from './testing/test-backend.ts';
import { makeImage } from './testing/test-images.ts';

let server: ContainerdServer;
beforeAll(async () => {
  server = await startContainerd();
});
afterAll(() => server.stop());

registryFetcherSuite('containerd and docker-registry', {
  platform: testPlatform,
  indexPlatform: { os: 'linux', architecture: testPlatform.architecture },
  image: (layers) => makeImage({ layers }),
  open: async (registries) => {
    const test = await openTestBackend(server, { registries });
    const { store, fetcher } = test.backend;
    return { store, fetcher, leftovers: test.leftovers, close: test.close };
  },
});
