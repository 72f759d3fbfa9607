import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createContainerdBackend, createHcsDriver, type ContainerdBackend } from '@loam/backend-containerd';
import { systemClock } from '@loam/base';
import { connect, type Containerd } from '@loam/containerd';
import { localEndpoint } from '@loam/containerd/testing';
import { baseLayer, ContainerdModel, layerTar, type ContainerdModelOptions } from '@loam/containerd-model';
import { removeTree } from '@loam/files';

/** The HCS back end on a model of Windows containerd, which proves nothing about Windows. */
export interface WindowsModel {
  readonly client: Containerd;
  readonly backend: ContainerdBackend;
  readonly agentId: string;
  readonly stateDirectory: string;
  close(): Promise<void>;
}

export const hostVersion = '10.0.20348';

export async function openWindowsModel(options: Partial<ContainerdModelOptions> = {}): Promise<WindowsModel> {
  const directory = await mkdtemp(join(tmpdir(), 'loam-model-'));
  const model = await ContainerdModel.start({
    address: localEndpoint(join(directory, 's')),
    rootDirectory: join(directory, 'root'),
    ...options,
  });
  const client = connect({ address: model.address, namespace: 'loam' });
  const agentId = `agt_${randomUUID()}`;
  const stateDirectory = join(directory, 'state');
  const own = { client, agentId, stateDirectory: join(stateDirectory, 'backend'), clock: systemClock, randomUUID };
  const driver = await createHcsDriver({
    ...own,
    hostVersion,
    hostProcessors: 2,
    pipePrefix: localEndpoint(join(directory, 'p-')),
    // No icacls here.
    runCommand: () => Promise.resolve(),
  });
  const backend = await createContainerdBackend({ ...own, driver });
  return {
    client,
    backend,
    agentId,
    stateDirectory,
    async close() {
      await backend.close();
      client.close();
      await model.close();
      await removeTree(directory);
    },
  };
}

/** Makes a base image of a build of Windows known under a name. */
export async function importWindowsImage({ backend }: WindowsModel, name: string, osVersion: string): Promise<void> {
  const layer = await baseLayer({ build: Number(osVersion.split('.')[2]) });
  const diffId = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
  const config = JSON.stringify({
    os: 'windows',
    'os.version': osVersion,
    architecture: 'amd64',
    config: { Env: ['Path=C:\\Windows\\System32'], User: 'ContainerUser' },
    rootfs: { type: 'layers', diff_ids: [diffId] },
  });
  const manifest = JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }]);
  const archive = await layerTar([
    { name: 'layer.tar', content: layer },
    { name: 'config.json', content: config },
    { name: 'manifest.json', content: manifest },
  ]);
  await backend.fetcher.importArchive(once(archive), {});
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
