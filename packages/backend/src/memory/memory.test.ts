import { fetcherConformance, sandboxConformance, storeConformance, type TestImage } from '../testsuite/index.ts';
import type { ImageConfig, Platform } from '../index.ts';
import { FileTree, linuxImageTree, MemoryFetcher, MemorySandbox, MemoryStore, type MemoryImage } from './index.ts';

const platform: Platform = { os: 'linux', architecture: 'amd64' };

storeConformance('memory', async () => {
  let store = new MemoryStore();
  await store.reconcile();
  const place = (path: string): { directory: string; file: string } => {
    const directory = /^memory-cache:\/.*#\d+(?=\/|$)/s.exec(path)?.[0] ?? path;
    return { directory, file: path.slice(directory.length) };
  };
  return {
    get store() {
      return store;
    },
    crash: () => Promise.resolve((store = store.reopen())),
    collectGarbage: () => Promise.resolve(store.collectGarbage()),
    plantForeign: () => {
      store.foreign.add('somebody else’s');
      return Promise.resolve({ intact: () => Promise.resolve(store.foreign.has('somebody else’s')) });
    },
    hostFiles: {
      write: async (path, text) => store.cacheTree(place(path).directory).writeFile(place(path).file, text),
      read: async (path) => {
        const bytes = store.cacheTree(place(path).directory).readFile(place(path).file);
        return bytes && Buffer.from(bytes).toString();
      },
      stat: async (path) => {
        const entry = store.cacheTree(place(path).directory).resolve(place(path).file).entry;
        return entry && { uid: entry.uid, gid: entry.gid, mode: entry.mode };
      },
    },
    leftovers: () => Promise.resolve(store.leftovers()),
    close: () => store.close(),
  };
});

sandboxConformance('memory', async () => {
  const store = new MemoryStore();
  const sandbox = new MemorySandbox({ store });
  const fetcher = new MemoryFetcher({
    store,
    images: new Map([['docker.io/library/base:latest', { tree: linuxImageTree(), platform }]]),
  });
  const lease = await store.lease('base');
  const base = await fetcher.fetch(await fetcher.resolve('base', platform), { lease });
  await lease.release();
  return {
    store,
    sandbox,
    platform,
    base,
    leftovers: () => Promise.resolve([...store.leftovers(), ...sandbox.leftovers()]),
    close: () => store.close(),
  };
});

fetcherConformance('memory', () => {
  const store = new MemoryStore();
  const config: ImageConfig = {
    env: [
      ['PATH', '/bin'],
      ['LANG', 'C'],
    ],
    user: 'builder',
    workdir: '/home/builder',
    shell: ['/bin/sh', '-ec'],
  };
  const image = (text: string, more: Partial<MemoryImage> = {}): MemoryImage => {
    const tree = new FileTree();
    tree.writeFile('which', text);
    return { tree, platform, config, ...more };
  };
  const images = new Map<string, MemoryImage>([
    ['registry.test/plain:1', image('plain')],
    ['registry.test/private:1', image('private')],
    ['registry.test/refused:1', image('refused', { fault: 'refused' })],
    ['registry.test/arm:1', image('arm', { platform: { os: 'linux', architecture: 'riscv64' } })],
    ['registry.test/corrupt:1', image('corrupt', { fault: 'corrupt' })],
    ['nowhere.test/image:1', image('nowhere', { fault: 'unreachable' })],
  ]);
  const fetcher = new MemoryFetcher({ store, images });
  const test = (reference: string, text: string): TestImage => ({ reference, file: { path: 'which', text }, config });
  return Promise.resolve({
    store,
    fetcher,
    platform,
    image: test('registry.test/plain:1', 'plain'),
    moveTag: () => {
      images.set('registry.test/plain:1', image('moved'));
      return Promise.resolve(test('registry.test/plain:1', 'moved'));
    },
    privateImage: test('registry.test/private:1', 'private'),
    refusedReference: 'registry.test/refused:1',
    missingReference: 'registry.test/missing:1',
    otherPlatform: { reference: 'registry.test/arm:1', available: 'linux/riscv64' },
    corruptReference: 'registry.test/corrupt:1',
    unreachableReference: 'nowhere.test/image:1',
    layerDownloads: () => fetcher.downloads.length,
    // The double has no connections to drop; what is tested then is that a fetch succeeds.
    dropNextLayer: () => undefined,
    archive: () => ({
      bytes: bytesOf(`carried:1\n${JSON.stringify(config)}\n${JSON.stringify(platform)}\nwhich\t"imported"`),
      image: test('carried:1', 'imported'),
    }),
    leftovers: () => Promise.resolve(store.leftovers()),
    close: () => store.close(),
  });
});

async function* bytesOf(text: string): AsyncIterable<Uint8Array> {
  await Promise.resolve();
  yield new TextEncoder().encode(text);
}
