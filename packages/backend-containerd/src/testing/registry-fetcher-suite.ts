import { randomUUID } from 'node:crypto';

import type { Fetcher, Platform, Store } from '@loam/backend';
import { fetcherConformance, type FetcherHarness, type TestImage } from '@loam/backend/testsuite';
import { startRegistry, type TestRegistry } from '@loam/testkit';
import { afterAll, beforeAll } from 'vitest';

import type { RegistriesConfig } from '../fetcher/registry-config.ts';
import { dockerSave, fullConfig, makeImage, makeIndex, noise, type MadeImage } from './test-images.ts';

/** A back end whose fetcher is held to the suite. */
export interface FetcherUnderTest {
  readonly store: Store;
  readonly fetcher: Fetcher;
  leftovers(): Promise<string[]>;
  close(): Promise<void>;
}

export interface RegistrySuiteOptions {
  readonly platform: Platform;
  /** As an index names it. */
  readonly indexPlatform: Readonly<Record<string, string>>;
  /** Makes an image for the platform. */
  readonly image: (layers: Parameters<typeof makeImage>[0]['layers']) => Promise<MadeImage>;
  readonly files?: FetcherHarness['files'];
  readonly open: (registries: RegistriesConfig) => Promise<FetcherUnderTest>;
}

const layerBytes = 200_000;

/** The conformance suite of fetchers, on real registries: an open one, one with tokens, and one with passwords. */
export function registryFetcherSuite(name: string, options: RegistrySuiteOptions): void {
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

  const greeting = (text: string): Promise<MadeImage> =>
    options.image([{ 'base.bin': noise(layerBytes) }, { 'middle.bin': noise(layerBytes) }, { greeting: text }]);
  const foreignImage = (text: string): Promise<MadeImage> =>
    makeImage({ layers: [{ foreign: text }], architecture: 's390x' });
  const foreignEntry = { os: 'linux', architecture: 's390x' };

  fetcherConformance(name, async () => {
    const test = await options.open({ [token.host]: { credentials: token.credentials } });
    const repository = `images/${randomUUID()}`;
    const requestsBefore = open.requests.length;
    const made: MadeImage[] = [];

    /** Pushes an image, behind an index that also has another platform. */
    async function publish(registry: TestRegistry, tag: string, text: string): Promise<TestImage> {
      const image = await greeting(text);
      const foreign = await foreignImage(text);
      await registry.push(repository, `${tag}-own`, image);
      await registry.push(repository, `${tag}-foreign`, foreign);
      const index = makeIndex([
        { manifest: foreign.manifest, platform: foreignEntry },
        { manifest: image.manifest, platform: options.indexPlatform },
      ]);
      await registry.push(repository, tag, index);
      made.push(image);
      const reference = `${registry.host}/${repository}:${tag}`;
      return { reference, file: { path: 'greeting', text }, config: fullConfig };
    }

    const image = await publish(open, 'latest', 'hello');
    const privateImage = await publish(token, 'private', 'secret hello');
    const foreignOnly = await foreignImage('x');
    await open.push(repository, 'foreign-part', foreignOnly);
    await open.push(repository, 'foreign', makeIndex([{ manifest: foreignOnly.manifest, platform: foreignEntry }]));
    const corrupt = await options.image([{ sound: 'x' }, { corrupt: 'x', 'noise.bin': noise(layerBytes) }]);
    await open.push(repository, 'corrupt', corrupt);
    await open.corrupt(corrupt.layerDigests[1] ?? '');
    const archived = await greeting('from an archive');
    const archiveName = `example.org/archived/${randomUUID()}:1`;

    return {
      store: test.store,
      fetcher: test.fetcher,
      platform: options.platform,
      ...(options.files === undefined ? {} : { files: options.files }),
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
}
