/**
 * An agent for tests that kill it: opens a back end on the given data, mounts a tree, takes a secret, and runs a step that
 * writes without end. Prints `running` when it does. Arguments: address, namespace, agent id, state directory, runc's root, base.
 */
import { randomUUID } from 'node:crypto';

import type { SnapshotName } from '@loam/backend';
import { systemClock } from '@loam/base';
import { connect } from '@loam/containerd';

import { createContainerdBackend } from '../backend.ts';

const [address = '', namespace = '', agentId = '', stateDirectory = '', runcRoot = '', base = ''] =
  process.argv.slice(2);
const client = connect({ address, namespace });
const { store, sandbox } = await createContainerdBackend({
  client,
  agentId,
  stateDirectory,
  clock: systemClock,
  randomUUID,
  runcRoot,
  containerdIsOurs: true,
});
const lease = await store.lease('doomed');
await store.tree(base as SnapshotName);
const working = await store.prepare(base as SnapshotName, 'run', lease);
let told = false;
await sandbox.run(
  {
    label: 'doomed',
    platform: { os: 'linux', architecture: process.arch },
    working,
    argv: ['/bin/sh', '-c', 'yes & yes >&2'],
    workdir: '/',
    env: [['PATH', '/bin']],
    user: { kind: 'id', uid: 0, gid: 0 },
    mounts: [],
    secrets: [{ target: '/run/secret', value: Buffer.from('s3cret') }],
    network: 'none',
    hostname: 'builder',
    limits: {},
  },
  {
    onOutput: () => {
      if (!told) console.log('running');
      told = true;
    },
  },
  new AbortController().signal,
);
