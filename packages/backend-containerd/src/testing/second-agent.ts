import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@loam/base';
import { connect, type Containerd } from '@loam/containerd';
import { localEndpoint } from '@loam/containerd/testing';

import { createContainerdBackend, type ContainerdBackend } from '../backend.ts';
import { createHcsDriver } from '../hcs/hcs-driver.ts';
import { findLeftovers } from '../leftovers.ts';
import { windowsPlatform, type ModelBackend } from './model-backend.ts';

/** Another agent on the same daemon, in the same namespace: what two agents must not do to each other. */
export interface SecondAgent {
  readonly agentId: string;
  readonly backend: ContainerdBackend;
  leftovers(): Promise<string[]>;
  close(): Promise<void>;
}

/** `wrap` may change what the agent hears of its daemon. */
export async function openSecondAgent(
  first: ModelBackend,
  wrap: (client: Containerd) => Containerd = (client) => client,
): Promise<SecondAgent> {
  const directory = await mkdtemp(join(tmpdir(), 'loam-hcs-'));
  const connected = connect({ address: first.model.address, namespace: first.client.namespace });
  const agentId = `agt_${randomUUID()}`;
  const stateDirectory = join(directory, 'state');
  const own = { client: wrap(connected), agentId, stateDirectory, clock: systemClock, randomUUID };
  const driver = await createHcsDriver({
    ...own,
    hostVersion: windowsPlatform.osVersion ?? '',
    hostProcessors: 4,
    pipePrefix: localEndpoint(join(directory, 'p-')),
    // No icacls here.
    runCommand: () => Promise.resolve(),
  });
  const backend = await createContainerdBackend({ ...own, driver });
  return {
    agentId,
    backend,
    async leftovers() {
      await backend.settled();
      return [...(await findLeftovers(connected, agentId, stateDirectory)), ...(await backend.leftovers())];
    },
    async close() {
      await backend.close();
      connected.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
