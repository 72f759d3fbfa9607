import { release } from 'node:os';

import type { ReconcileReport } from '@loam/backend';
import { findLeftovers, openKoffiHcn, snapshotDirectory, type HcnApi, type HcsOptions } from '@loam/backend-containerd';
import { systemClock } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import { readFarmConfig } from '../config.ts';
import { readRegistries } from '../registries.ts';
import type { AgentPresence, DoctorHost } from './doctor-host.ts';
import { runProgram } from './host-command.ts';

export interface DoctorHostParts {
  readonly stateDirectory: string;
  readonly namespace: string;
  readonly agent: AgentPresence;
  readonly identity: string | undefined;
  readonly windows: HcsOptions;
  /** Opens or finds it; called anew until it succeeds. */
  readonly containerd: () => Promise<Containerd>;
  readonly reconcile: () => Promise<ReconcileReport>;
}

/** This machine, as the checks see it. For one examination: what is looked up once is not looked up again. */
export function makeDoctorHost(parts: DoctorHostParts): DoctorHost {
  const { stateDirectory, identity } = parts;
  const os = process.platform === 'win32' ? 'windows' : 'linux';
  const snapshotter = os === 'windows' ? 'windows' : 'overlayfs';
  let looking: Promise<string[]> | undefined;
  let directory: Promise<string> | undefined;
  let api: Promise<HcnApi> | undefined;
  return {
    ...parts,
    os,
    snapshotter,
    osVersion: release(),
    architecture: process.arch,
    clock: systemClock,
    async leftovers() {
      if (identity === undefined) return [];
      looking ??= parts
        .containerd()
        .then((client) => findLeftovers(client, identity, stateDirectory))
        .finally(() => (looking = undefined));
      return looking;
    },
    snapshotDirectory() {
      directory ??= parts.containerd().then((client) => snapshotDirectory(client, snapshotter));
      return directory;
    },
    hcn() {
      api ??= openKoffiHcn();
      return api;
    },
    run: runProgram,
    farm: () => readFarmConfig(stateDirectory),
    registries: () => readRegistries(stateDirectory),
  };
}
