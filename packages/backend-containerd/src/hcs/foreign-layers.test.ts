import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { baseLayer } from '@loam/containerd-model';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { openModelBackend, runOnBase, windowsPlatform, type ModelBackend } from '../testing/model-backend.ts';
import { makeImage, type MadeImage } from '../testing/test-images.ts';

// Older base images of Windows: their layers are not in the registry, but where their descriptors say (reference §8.3).
const foreignLayer = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
let test: ModelBackend;
let server: Server;
let asked: string[];
let isMirrored: boolean;
let isAtVendor: boolean;
let image: MadeImage;
let manifest: Buffer;

beforeEach(async () => {
  asked = [];
  isMirrored = false;
  isAtVendor = true;
  server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path.replace(/sha256:[0-9a-f]{58}/, ''));
    const digest = path.split('/').at(-1) ?? '';
    const isLayer = image.layerDigests.includes(digest);
    const isVendor = path.startsWith('/vendor/');
    let body: Uint8Array | undefined;
    if (path.includes('/manifests/')) body = manifest;
    else if (!isLayer) body = image.config;
    else if (isVendor ? isAtVendor : isMirrored) body = image.layers[0];
    const type = path.includes('/manifests/') ? image.mediaType : 'application/octet-stream';
    response.writeHead(body ? 200 : 404, { 'content-type': type });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  image = await makeImage({
    layers: [{}],
    layerTar: () => baseLayer(),
    os: 'windows',
    architecture: 'amd64',
    osVersion: windowsPlatform.osVersion ?? '',
  });
  const document = JSON.parse(Buffer.from(image.manifest).toString()) as { layers: object[] };
  const { port } = server.address() as AddressInfo;
  const vendor = `http://127.0.0.1:${port}/vendor/${image.layerDigests[0]}`;
  const urls = ['ftp://nowhere/x', 'http://127.0.0.1:1/gone', vendor];
  document.layers = document.layers.map((layer) => ({ ...layer, mediaType: foreignLayer, urls }));
  manifest = Buffer.from(JSON.stringify(document));
  test = await openModelBackend();
});
afterEach(async () => {
  const left = await test.leftovers();
  await test.close();
  await new Promise((resolve) => server.close(resolve));
  expect(left).toEqual([]);
});

async function pullAndRun(): Promise<unknown> {
  const { store, fetcher } = test.backend;
  const { port } = server.address() as AddressInfo;
  const lease = await store.lease('test');
  try {
    const resolved = await fetcher.resolve(`127.0.0.1:${port}/windows/servercore:1`, {
      os: 'windows',
      architecture: 'amd64',
    });
    return (await runOnBase(test, await fetcher.fetch(resolved, { lease }), {})).exit;
  } finally {
    await lease.release();
  }
}

it('a foreign layer comes from the first of its addresses that has it, and not from the registry', async () => {
  expect(await pullAndRun()).toEqual({ kind: 'exited', code: 0 });
  expect(asked.filter((path) => path.startsWith('/vendor/'))).toHaveLength(1);
  expect(asked.filter((path) => path.includes('/blobs/'))).toHaveLength(1);
});

it('where its addresses fail, a registry that keeps a copy serves it', async () => {
  isAtVendor = false;
  isMirrored = true;
  expect(await pullAndRun()).toEqual({ kind: 'exited', code: 0 });
  expect(asked.filter((path) => path.includes('/blobs/'))).toHaveLength(2);
});

it('that nobody has is an error of the image', async () => {
  isAtVendor = false;
  await expect(pullAndRun()).rejects.toMatchObject({ code: expect.stringMatching(/^backend\./) as string });
});
