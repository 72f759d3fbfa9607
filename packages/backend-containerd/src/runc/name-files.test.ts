import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import type { Network } from '@loam/backend';

import { NameFiles } from './name-files.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'loam-names-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** Which file becomes /etc/resolv.conf. */
async function resolver(network: Network, files: { host: string; upstream?: string }): Promise<string | undefined> {
  const paths = { host: join(folder, 'resolv.conf'), upstream: join(folder, 'upstream.conf') };
  writeFileSync(paths.host, files.host);
  if (files.upstream !== undefined) writeFileSync(paths.upstream, files.upstream);
  const binds = await new NameFiles(join(folder, 'names'), paths).binds('builder', network);
  return binds.find(({ target }) => target === '/etc/resolv.conf')?.source.slice(folder.length + 1);
}

const stub = '# systemd-resolved\nnameserver 127.0.0.53\noptions edns0\n';

it("a step in a NAT network asks the servers behind a resolver on the loopback, which is the host's alone", async () => {
  expect(await resolver('nat', { host: stub, upstream: 'nameserver 10.0.0.1\n' })).toBe('upstream.conf');
  expect(await resolver('host', { host: stub, upstream: 'nameserver 10.0.0.1\n' })).toBe('resolv.conf');
});

it('a resolver that can be reached from everywhere is used as it is, and the only one there is', async () => {
  const both = 'nameserver 127.0.0.1\nnameserver 10.0.0.1\n';
  expect(await resolver('nat', { host: both, upstream: 'nameserver 10.0.0.2\n' })).toBe('resolv.conf');
  expect(await resolver('none', { host: both })).toBeUndefined();
});

it('without other servers than those of the loopback it is given what there is', async () => {
  expect(await resolver('nat', { host: stub })).toBe('resolv.conf');
});
