import { TestClock } from '@loam/base';

import type { DoctorHost } from '../doctor-host.ts';

/** A host of a test: what the test does not give is not there. */
export function scriptedHost(parts: Partial<DoctorHost> = {}): DoctorHost {
  const absent = (what: string) => () => Promise.reject(new Error(`this host has no ${what}`));
  return {
    os: 'windows',
    osVersion: '10.0.20348',
    architecture: 'x64',
    stateDirectory: '/nowhere',
    namespace: 'loam',
    snapshotter: 'windows',
    windows: {},
    agent: { kind: 'nobody' },
    clock: new TestClock(),
    identity: 'agt_test',
    containerd: absent('containerd'),
    leftovers: () => Promise.resolve([]),
    snapshotDirectory: absent('snapshots'),
    hcn: absent('network service'),
    run: absent('programs'),
    farm: () => {
      throw new Error('this host has no farm');
    },
    registries: () => ({}),
    reconcile: absent('clean-up'),
    ...parts,
  };
}
