import { join } from 'node:path';

import { LoamError } from '@loam/base';

import type { NetworkProvider } from '../networks.ts';
import { WindowsCniNetworks } from './cni/windows-cni-networks.ts';
import type { HcnApi } from './hcn/hcn-api.ts';
import { HcnNetworks } from './hcn/hcn-networks.ts';

/** What an operator may set about the networks of steps on Windows. */
export interface WindowsNetworkSettings {
  /** `hcn` (unless given): in this process. `cni`: by plugins. `none`: steps that want a network are refused. */
  readonly provider?: 'hcn' | 'cni' | 'none';
  /** Of the NAT network; whichever the host has unless given. */
  readonly natNetwork?: string;
  /** Of a NAT network that has to be made: `172.20.0.0/16` unless given. */
  readonly natSubnet?: string;
  /** IPv4 addresses that steps ask for names; the host's own unless given. */
  readonly dnsServers?: readonly string[];
  /** Of `*.conflist` files; containerd's own unless given. */
  readonly cniConfDirectory?: string;
  /** Of `nat.exe` and the like; containerd's own unless given. */
  readonly cniBinDirectory?: string;
}

export interface WindowsNetworksOptions {
  readonly settings: WindowsNetworkSettings;
  readonly openApi: () => Promise<HcnApi>;
  readonly agentId: string;
  readonly randomUUID: () => string;
  readonly stateDirectory: string;
  readonly hostDnsServers: readonly string[];
}

/** The provider that the operator chose. What another one left, chosen in an earlier life, is cleaned up along with it. */
export function windowsNetworks(options: WindowsNetworksOptions): NetworkProvider {
  const { settings, openApi, agentId, randomUUID, stateDirectory, hostDnsServers } = options;
  const { provider = 'hcn', natNetwork, natSubnet, dnsServers = hostDnsServers } = settings;
  const common = { openApi, agentId, randomUUID, dnsServers, networkName: natNetwork, subnet: natSubnet };
  const providers = {
    hcn: new HcnNetworks({ ...common, directory: join(stateDirectory, 'networks') }),
    cni: new WindowsCniNetworks({
      ...common,
      directory: join(stateDirectory, 'cni'),
      confDirectory: settings.cniConfDirectory,
      binDirectory: settings.cniBinDirectory,
    }),
  };
  const chosen = provider === 'none' ? undefined : providers[provider];
  const all: readonly NetworkProvider[] = Object.values(providers);
  return {
    async connect(runId) {
      if (chosen === undefined) throw LoamError.of('backend.network-unsupported', { network: 'nat' });
      return chosen.connect(runId);
    },
    async reconcile() {
      let removed = 0;
      for (const each of all) {
        if (each !== chosen && (await each.list()).length === 0) continue;
        // What undoes it may have been uninstalled, or its configuration be broken.
        removed += await each.reconcile().catch(() => 0);
      }
      return removed;
    },
    list: async () => (await Promise.all(all.map((each) => each.list()))).flat(),
  };
}
