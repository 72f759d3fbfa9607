import { randomUUID } from 'node:crypto';

import { fetcherConformance, type TestImage } from '@loam/backend/testsuite';
import { layerTar } from '@loam/containerd-model';
import { startRegistry, type TestRegistry } from '@loam/testkit';
import { afterAll, beforeAll } from 'vitest';

import { openModelBackend, windowsPlatform } from '../testing/model-backend.ts';
import { dockerSave, fullConfig, makeImage, makeIndex, noise, type MadeImage } from '../testing/test-images.ts';

let open: TestRegistry;
let token: TestRegistry;
let password: TestRegistry;

beforeAll(async () => {
  [open, token, password] = await Promise.all([
    startRegistry(),
    startRegistry({ auth: 'token' }),
    startRegistry({ auth: 'basic' }),
  ]);
});
afterAll(() => Promise.all([open.stop(), token.stop(), password.stop()]));

const layerBytes = 200_000;

const osVersion = windowsPlatform.osVersion ?? '';

/** A layer as Windows has it. */
function windowsLayer(files: Readonly<Record<string, string | Uint8Array>>): Promise<Uint8Array> {
  const entries = Object.entries(files).map(([path, content]) => ({ name: `Files/${path}`, content }));
  return layerTar([{ name: 'Hives', type: 'directory' }, { name: 'Files', type: 'directory' }, ...entries]);
}

function windowsImage(layers: Parameters<typeof makeImage>[0]['layers']): Promise<MadeImage> {
  return makeImage({ layers, os: 'windows', architecture: 'amd64', osVersion, layerTar: windowsLayer });
}

function greeting(text: string): Promise<MadeImage> {
  return windowsImage([{ 'base.bin': noise(layerBytes) }, { 'middle.bin': noise(layerBytes) }, { greeting: text }]);
}

fetcherConformance('HCS on a model of Windows containerd, and docker-registry', async () => {
  const test = await openModelBackend({
    // Its images hold nothing that runs, and are read all the same.
    model: { presentPrograms: ['cmd', 'tar'] },
    backend: { registries: { [token.host]: { credentials: token.credentials } } },
  });
  const repository = `images/${randomUUID()}`;
  const requestsBefore = open.requests.length;
  const made: MadeImage[] = [];

  /** Pushes an image, behind an index that also has another platform. */
  async function publish(registry: TestRegistry, tag: string, text: string): Promise<TestImage> {
    const image = await greeting(text);
    const foreign = await makeImage({ layers: [{ foreign: text }], architecture: 's390x' });
    await registry.push(repository, `${tag}-own`, image);
    await registry.push(repository, `${tag}-foreign`, foreign);
    const index = makeIndex([
      { manifest: foreign.manifest, platform: { os: 'linux', architecture: 's390x' } },
      { manifest: image.manifest, platform: { os: 'windows', architecture: 'amd64', 'os.version': osVersion } },
    ]);
    await registry.push(repository, tag, index);
    made.push(image);
    const reference = `${registry.host}/${repository}:${tag}`;
    return { reference, file: { path: 'greeting', text }, config: fullConfig };
  }

  const image = await publish(open, 'latest', 'hello');
  const privateImage = await publish(token, 'private', 'secret hello');
  const foreignOnly = await makeImage({ layers: [{ foreign: 'x' }], architecture: 's390x' });
  await open.push(repository, 'foreign-part', foreignOnly);
  await open.push(
    repository,
    'foreign',
    makeIndex([{ manifest: foreignOnly.manifest, platform: { os: 'linux', architecture: 's390x' } }]),
  );
  const corrupt = await windowsImage([{ sound: 'x' }, { corrupt: 'x', 'noise.bin': noise(layerBytes) }]);
  await open.push(repository, 'corrupt', corrupt);
  await open.corrupt(corrupt.layerDigests[1] ?? '');
  const archived = await greeting('from an archive');
  const archiveName = `example.org/archived/${randomUUID()}:1`;

  return {
    store: test.backend.store,
    fetcher: test.backend.fetcher,
    platform: { os: 'windows', architecture: 'amd64' },
    files: 'windows',
    image,
    moveTag: () => publish(open, 'latest', 'moved'),
    privateImage,
    refusedReference: `${password.host}/${repository}:latest`,
    missingReference: `${open.host}/${repository}:none`,
    otherPlatform: { reference: `${open.host}/${repository}:foreign`, available: 'linux/s390x' },
    corruptReference: `${open.host}/${repository}:corrupt`,
    unreachableReference: '127.0.0.1:1/none:latest',
    layerDownloads: () => {
      const layers = new Set(made.flatMap(({ layerDigests }) => layerDigests));
      return open.requests
        .slice(requestsBefore)
        .filter(({ method, path }) => method === 'GET' && layers.has(path.split('/').at(-1) ?? '')).length;
    },
    dropNextLayer: () => open.cutNextBlob(50_000),
    archive: () => ({
      bytes: dockerSave(archived, archiveName),
      image: { reference: archiveName, file: { path: 'greeting', text: 'from an archive' }, config: fullConfig },
    }),
    leftovers: test.leftovers,
    close: test.close,
  };
});
