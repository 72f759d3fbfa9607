import { layerTar } from '@loam/containerd-model';

import { openModelBackend, windowsPlatform } from '../testing/model-backend.ts';
import { registryFetcherSuite } from '../testing/registry-fetcher-suite.ts';
import { makeImage } from '../testing/test-images.ts';

const osVersion = windowsPlatform.osVersion ?? '';

/** A layer as Windows has it. */
function windowsLayer(files: Readonly<Record<string, string | Uint8Array>>): Promise<Uint8Array> {
  const entries = Object.entries(files).map(([path, content]) => ({ name: `Files/${path}`, content }));
  return layerTar([{ name: 'Hives', type: 'directory' }, { name: 'Files', type: 'directory' }, ...entries]);
}

registryFetcherSuite('HCS on a model of Windows containerd, and docker-registry', {
  platform: { os: 'windows', architecture: 'amd64' },
  indexPlatform: { os: 'windows', architecture: 'amd64', 'os.version': osVersion },
  files: 'windows',
  image: (layers) => makeImage({ layers, os: 'windows', architecture: 'amd64', osVersion, layerTar: windowsLayer }),
  open: async (registries) => {
    const test = await openModelBackend({
      // Its images hold nothing that runs, and are read all the same.
      model: { presentPrograms: ['cmd', 'tar'] },
      backend: { registries },
    });
    const { store, fetcher } = test.backend;
    return { store, fetcher, leftovers: test.leftovers, close: test.close };
  },
});
