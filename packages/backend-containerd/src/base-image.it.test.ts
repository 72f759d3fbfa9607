import { createHash } from 'node:crypto';

import { expect, it } from 'vitest';

import { busyboxImageArchive } from './base-image.ts';
import { readTar } from './tar/tar-reader.ts';

const options = { busyboxPath: '/bin/busybox', platform: { os: 'linux', architecture: 'amd64' } } as const;

it('one busybox gives the same bytes every time, as an OCI layout whose blobs are what their names say', async () => {
  const digests: string[] = [];
  for (let round = 0; round < 2; round++) {
    const hash = createHash('sha256');
    for await (const chunk of busyboxImageArchive(options)) hash.update(chunk);
    digests.push(hash.digest('hex'));
  }
  expect(digests[0]).toBe(digests[1]);
  const paths: string[] = [];
  for await (const entry of readTar(busyboxImageArchive(options))) {
    paths.push(entry.path);
    const hash = createHash('sha256');
    for await (const chunk of entry.content) hash.update(chunk);
    if (entry.path.startsWith('blobs/')) expect(entry.path).toBe(`blobs/sha256/${hash.digest('hex')}`);
  }
  expect(paths.filter((path) => path.startsWith('blobs/'))).toHaveLength(3);
  expect(paths).toEqual(expect.arrayContaining(['oci-layout', 'index.json']));
});
