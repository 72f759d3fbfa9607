import { LoamError } from '@loam/base';

import type { HcnApi, HcnKind } from './hcn-api.ts';
import { alreadyExists, isGone } from './hcn-errors.ts';

export interface NatNetworkOptions {
  readonly openApi: () => Promise<HcnApi>;
  readonly randomUUID: () => string;
  /** Of the network to use. With a name only that one will do; without it `nat`, or whichever NAT network the host has. */
  readonly name?: string | undefined;
  /** `172.20.0.0/16`. Only for a network that has to be made: one that is there keeps its own (reference §6.3, §6.4). */
  readonly subnet?: string | undefined;
}

/** A network of the host, as the service tells it. */
export interface FoundNetwork {
  readonly id: string;
  readonly name: string;
  readonly gateway: string | undefined;
  readonly prefix: string | undefined;
}

export const hcnSchema = { SchemaVersion: { Major: 2, Minor: 0 } };
export const defaultRoute = '0.0.0.0/0';
const defaultName = 'nat';
const defaultSubnet = '172.20.0.0/16';

/** The host's NAT network: found, or made when the host has none. One per host is all that Windows has (reference §6.4). */
export class NatNetwork {
  readonly #options: NatNetworkOptions;
  #known: Promise<FoundNetwork> | undefined;

  constructor(options: NatNetworkOptions) {
    this.#options = options;
  }

  /** Throws `HcnFailure`, and `backend.hcn-conflict` when the host has another NAT network than the one that was named. */
  ensure(): Promise<FoundNetwork> {
    this.#known ??= this.#ensure();
    this.#known.catch(() => (this.#known = undefined));
    return this.#known;
  }

  /** It may have been replaced meanwhile: the next `ensure` looks for it anew. */
  forget(): void {
    this.#known = undefined;
  }

  async #ensure(): Promise<FoundNetwork> {
    const found = await this.#find();
    if (found !== undefined) return found;
    const { openApi, randomUUID, name = defaultName, subnet = defaultSubnet } = this.#options;
    const api = await openApi();
    const id = randomUUID();
    const gateway = firstAddress(subnet);
    const subnets = [{ IpAddressPrefix: subnet, Routes: [{ NextHop: gateway, DestinationPrefix: defaultRoute }] }];
    try {
      await api.createNetwork(id, {
        ...hcnSchema,
        Name: name,
        Type: 'NAT',
        Flags: 0,
        Ipams: [{ Type: 'Static', Subnets: subnets }],
      });
    } catch (error) {
      // Somebody else made one at the same moment.
      const other = alreadyExists(error) ? await this.#find() : undefined;
      if (other === undefined) throw error;
      return other;
    }
    return { id, name, gateway, prefix: subnet };
  }

  /** `Type` may be missing in a NAT network, so `nat` by name will do (reference §6.2, §6.4). */
  async #find(): Promise<FoundNetwork | undefined> {
    const { openApi, name: wanted } = this.#options;
    const api = await openApi();
    let other: FoundNetwork | undefined;
    for (const id of await api.enumerate('network')) {
      const properties = await queryOrGone(api, 'network', id);
      const name = textOf(properties, 'Name') ?? '';
      const network = { id, name, ...subnetOf(properties) };
      if (name.toLowerCase() === (wanted ?? defaultName).toLowerCase()) return network;
      if (textOf(properties, 'Type')?.toUpperCase() === 'NAT') other ??= network;
    }
    if (wanted === undefined || other === undefined) return other;
    const reason = `the agent is told to use "${wanted}", and the host has "${other.name}"`;
    throw LoamError.of('backend.hcn-conflict', { reason });
  }
}

/** The properties of a thing; none when it has gone meanwhile. */
export async function queryOrGone(api: HcnApi, kind: HcnKind, id: string): Promise<object> {
  try {
    return await api.query(kind, id);
  } catch (error) {
    if (isGone(error)) return {};
    throw error;
  }
}

export async function ignoringGone(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

export function textOf(properties: object, name: string): string | undefined {
  const value = (properties as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : undefined;
}

/** `172.20.0.0/16` → `172.20.0.1`: where the plugin, too, puts a gateway that nobody names (reference §6.3). */
export function firstAddress(subnet: string): string {
  const octets = subnet.replace(/\/.*$/, '').split('.').map(Number);
  return [...octets.slice(0, 3), (octets[3] ?? 0) + 1].join('.');
}

interface NetworkProperties {
  readonly Ipams?: readonly {
    readonly Subnets?: readonly {
      readonly IpAddressPrefix?: string;
      readonly Routes?: readonly { readonly NextHop?: string; readonly DestinationPrefix?: string }[];
    }[];
  }[];
}

function subnetOf(properties: NetworkProperties): Pick<FoundNetwork, 'gateway' | 'prefix'> {
  const subnets = (properties.Ipams ?? []).flatMap(({ Subnets }) => Subnets ?? []);
  const routes = subnets.flatMap(({ Routes }) => Routes ?? []);
  return {
    gateway: routes.find(({ DestinationPrefix }) => DestinationPrefix === defaultRoute)?.NextHop,
    prefix: subnets.find(({ IpAddressPrefix }) => IpAddressPrefix !== undefined)?.IpAddressPrefix,
  };
}
