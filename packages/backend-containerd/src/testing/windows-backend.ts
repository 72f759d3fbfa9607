import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, stat } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Platform, SnapshotName, TreeEntry } from '@loam/backend';
import { systemClock } from '@loam/base';
import { connect, type Containerd } from '@loam/containerd';
import { removeTree } from '@loam/files';

import { createContainerdBackend, type ContainerdBackend } from '../backend.ts';
import { baseImageTag } from '../hcs/os-match.ts';
import { findLeftovers } from '../leftovers.ts';

/** The HCS back end on the containerd of a real Windows host, as another agent for each test, in one namespace for all. */
export interface WindowsBackend {
  readonly client: Containerd;
  readonly agentId: string;
  /** The latest life. */
  readonly backend: ContainerdBackend;
  readonly platform: Platform;
  /** The base image. */
  readonly base: SnapshotName;
  readonly crash: () => Promise<ContainerdBackend>;
  readonly collectGarbage: () => Promise<void>;
  readonly leftovers: () => Promise<string[]>;
  readonly close: () => Promise<void>;
}

const namespace = 'loam-test';

/** `image`: a repository of Microsoft's base images, whose tag for this host's build is taken. */
export async function openWindowsBackend(image: string): Promise<WindowsBackend> {
  const address = process.env['LOAM_CONTAINERD'] ?? '\\\\.\\pipe\\containerd-containerd';
  const tag = baseImageTag(release(), 'process');
  if (tag === undefined) throw new Error(`no base image is made for Windows ${release()}`);
  const agentId = `agt_${randomUUID()}`;
  const stateDirectory = await mkdtemp(join(tmpdir(), 'loam-windows-'));
  const warnings: string[] = [];
  const lives: { readonly client: Containerd; readonly backend: ContainerdBackend }[] = [];
  const latest = (): (typeof lives)[number] => lives.at(-1) as (typeof lives)[number];
  const open = async (): Promise<ContainerdBackend> => {
    const client = connect({ address, namespace });
    const warn = (what: string, error: unknown): void =>
      void warnings.push(`clean-up of ${what} failed: ${String(error)}`);
    const own = { client, agentId, stateDirectory, clock: systemClock, randomUUID, warn };
    const backend = await createContainerdBackend(own);
    lives.push({ client, backend });
    return backend;
  };
  const { fetcher, store } = await open();
  const resolved = await fetcher.resolve(`${image}:${tag}`, { os: 'windows', architecture: 'amd64' });
  const lease = await store.lease('test');
  const base = await fetcher.fetch(resolved, { lease });
  await lease.release();
  return {
    agentId,
    base,
    platform: resolved.platform,
    get client() {
      return latest().client;
    },
    get backend() {
      return latest().backend;
    },
    async crash() {
      latest().client.close();
      return open();
    },
    async collectGarbage() {
      const id = `collect-${randomUUID()}`;
      await latest().client.leases.create({ id });
      await latest().client.leases.delete(id, { sync: true });
    },
    async leftovers() {
      const { backend, client } = latest();
      await backend.settled();
      const left = await findLeftovers(client, agentId, stateDirectory);
      return [...new Set([...left, ...(await backend.leftovers()), ...warnings])];
    },
    async close() {
      await latest().backend.close();
      for (const { client } of lives) client.close();
      await removeTree(stateDirectory);
    },
  };
}

/** Puts the programs of a directory, such as `usr\bin` of Git for Windows, into `C:\usr\bin` of a new snapshot on the base. */
export async function withTools({ backend, base }: WindowsBackend, directory: string): Promise<SnapshotName> {
  const name = `tools-${base.slice(-12)}` as SnapshotName;
  const { store } = backend;
  if ((await store.stat(name)) !== undefined) return name;
  const lease = await store.lease('test');
  try {
    const working = await store.prepare(base, 'layer', lease);
    await store.applyLayer(working, programs(directory));
    await store.commit(working, name, {});
    return name;
  } finally {
    await lease.release();
  }
}

async function* programs(directory: string): AsyncIterable<TreeEntry> {
  const meta = { uid: 0, gid: 0, mode: 0o755, mtimeMs: 0 };
  yield { ...meta, kind: 'directory', path: 'usr' };
  yield { ...meta, kind: 'directory', path: 'usr/bin' };
  yield { ...meta, kind: 'directory', path: 'tmp' };
  for (const name of (await readdir(directory)).filter((entry) => /\.(?:exe|dll)$/i.test(entry)).toSorted()) {
    const file = join(directory, name);
    const { size } = await stat(file);
    yield { ...meta, kind: 'file', path: `usr/bin/${name}`, sizeBytes: size, open: () => createReadStream(file) };
  }
}
