import type { AnyCheck } from '../check.ts';
import { agentService } from './agent-service.ts';
import { clockSkew } from './clock-skew.ts';
import { cniConf } from './cni-conf.ts';
import { containerdNamespace } from './containerd-namespace.ts';
import { containerdReachable } from './containerd-reachable.ts';
import { containerdSnapshotter } from './containerd-snapshotter.ts';
import { defenderExclusions } from './defender.ts';
import { diskChecks } from './disk-space.ts';
import { farmCredential } from './farm-credential.ts';
import { farmReachable } from './farm-reachable.ts';
import { farmTls } from './farm-tls.ts';
import { imageBuilds } from './image-builds.ts';
import { leakChecks } from './leaks.ts';
import { leftoverLayers } from './leftover-layers.ts';
import { leftoverNetworks } from './leftover-networks.ts';
import { linuxHostChecks } from './linux-host.ts';
import { natNetwork } from './nat-network.ts';
import { registriesReachable } from './registries.ts';
import { stateDirectory } from './state-directory.ts';
import { windowsHostChecks } from './windows-host.ts';

/** Everything that the doctor looks at, in the order in which findings of one status are shown. */
export const allChecks: readonly AnyCheck[] = [
  ...windowsHostChecks,
  ...linuxHostChecks,
  containerdReachable,
  containerdSnapshotter,
  containerdNamespace,
  natNetwork,
  cniConf,
  imageBuilds,
  ...diskChecks,
  stateDirectory,
  ...leakChecks,
  leftoverLayers,
  leftoverNetworks,
  defenderExclusions,
  farmReachable,
  farmTls,
  farmCredential,
  clockSkew,
  agentService,
  registriesReachable,
];
