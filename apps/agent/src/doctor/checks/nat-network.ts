import { randomUUID } from 'node:crypto';

import { explainHcnFailure, NatNetwork, type HcnApi } from '@loam/backend-containerd';
import { isLoamError } from '@loam/base';

import { defineCheck, ok, problem, skipped, warning, type Verdict } from '../check.ts';

/** A network of the Host Network Service, with what of it matters here. */
export interface HostNetwork {
  readonly name: string;
  readonly type: string | undefined;
  readonly prefix: string | undefined;
  readonly gateway: string | undefined;
}

/** Undefined when steps have no network here. */
export type NetworkFacts =
  | { readonly networks: readonly HostNetwork[] | undefined }
  | { readonly failure: string; readonly remedy: string };

/** One NAT network per host is all that Windows has; Server 2019 comes without one (reference §6.2, §6.4, §10 #27–#29). */
export const natNetwork = defineCheck<NetworkFacts>({
  id: 'network.nat',
  title: 'NAT network',
  only: 'windows',
  async gather(host) {
    if (host.windows.network?.provider === 'none') return { networks: undefined };
    try {
      return { networks: await hostNetworks(await host.hcn()) };
    } catch (error) {
      const known = explainHcnFailure(error);
      if (!isLoamError(known)) throw error;
      return { failure: known.message, remedy: known.remedy };
    }
  },
  judge: judgeNetworks,
  async repair(host) {
    try {
      const { natNetwork: name, natSubnet: subnet } = host.windows.network ?? {};
      const network = new NatNetwork({ openApi: () => host.hcn(), randomUUID, name, subnet });
      const made = await network.ensure();
      return `The NAT network "${made.name}" (${made.prefix ?? 'no subnet'}) is there.`;
    } catch (error) {
      throw explainHcnFailure(error);
    }
  },
});

interface Properties {
  readonly Name?: string;
  readonly Type?: string;
  readonly Ipams?: readonly {
    readonly Subnets?: readonly {
      readonly IpAddressPrefix?: string;
      readonly Routes?: readonly { readonly NextHop?: string; readonly DestinationPrefix?: string }[];
    }[];
  }[];
}

export async function hostNetworks(api: HcnApi): Promise<HostNetwork[]> {
  const found = await Promise.all((await api.enumerate('network')).map((id) => api.query('network', id)));
  return found.map((properties) => {
    const { Name = '', Type, Ipams = [] } = properties as Properties;
    const subnets = Ipams.flatMap(({ Subnets = [] }) => Subnets);
    const routes = subnets.flatMap(({ Routes = [] }) => Routes);
    return {
      name: Name,
      type: Type,
      prefix: subnets[0]?.IpAddressPrefix,
      gateway: routes.find(({ DestinationPrefix }) => DestinationPrefix === '0.0.0.0/0')?.NextHop,
    };
  });
}

/** `Type` may be missing in a NAT network, so `nat` by name will do (reference §6.2). */
export function isNat({ name, type }: HostNetwork): boolean {
  return type === undefined ? name.toLowerCase() === 'nat' : type.toUpperCase() === 'NAT';
}

export function judgeNetworks(facts: NetworkFacts): Verdict {
  const cost = 'Steps with a network cannot be started; steps without one can.';
  if ('failure' in facts) return problem(facts.failure, cost, facts.remedy);
  if (facts.networks === undefined)
    return skipped('The agent is told to give steps no network.', 'Steps that want one are refused.');
  const all = facts.networks.map(shown).join(', ') || 'none';
  const nat = facts.networks.filter(isNat);
  const [first] = nat;
  if (first === undefined) {
    return warning(
      `The host has no NAT network; networks: ${all}.`,
      'The first step with a network makes one, if no other program is in the way.',
      'Run `loam-agent doctor --fix` to make it now.',
      true,
    );
  }
  const seen = `Networks: ${all}.`;
  if (nat.length > 1) {
    const remedy =
      'Remove all but one with `Get-HnsNetwork | ? Name -eq … | Remove-HnsNetwork`, while no container runs.';
    return warning(
      `${seen} ${nat.length} of them are NAT networks.`,
      'Windows supports one; others may have no way out.',
      remedy,
    );
  }
  if (first.prefix === undefined || first.gateway === undefined) {
    const what = first.prefix === undefined ? 'no subnet' : 'no default route';
    return warning(
      `${seen} "${first.name}" has ${what}.`,
      'Containers on it may have no way out.',
      'Remove it while no container runs (`Get-HnsNetwork | ? Name -eq nat | Remove-HnsNetwork`), then run `loam-agent doctor --fix`.',
    );
  }
  return ok(seen, 'Steps with a network get an address of it.');
}

function shown({ name, type, prefix, gateway }: HostNetwork): string {
  return `${name} (${[type, prefix, gateway === undefined ? undefined : `by ${gateway}`].filter(Boolean).join(' ')})`;
}
