import { createHash } from 'node:crypto';

import { isLoamError } from '@loam/base';

import type { NetworkProvider, RunNetwork } from '../../networks.ts';
import type { HcnApi, HcnKind } from './hcn-api.ts';
import { alreadyExists, explainHcnFailure, isGone } from './hcn-errors.ts';
import { RunRecords, type RunRecord } from './run-records.ts';

export interface HcnNetworksOptions {
  /** Opened at first use: a host that runs only steps without network needs no service. */
  readonly openApi: () => Promise<HcnApi>;
  readonly agentId: string;
  /** For the ids of what runs have. */
  readonly directory: string;
  readonly randomUUID: () => string;
  /** IPv4 addresses that containers ask for names. */
  readonly dnsServers: readonly string[];
}

const schema = { SchemaVersion: { Major: 2, Minor: 0 } };
const networkName = 'nat';
/** Only for a host that has no NAT network at all; one that is there is used as it is (reference §6.4). */
const subnet = { prefix: '172.20.0.0/16', gateway: '172.20.0.1' };
const defaultRoute = '0.0.0.0/0';

interface Network {
  readonly id: string;
  readonly gateway: string | undefined;
}

/**
 * NAT through the Host Compute Network service, in process (reference §6.1, §6.2). Every run has a namespace and an endpoint
 * of its own, made before its task and deleted after it; nothing is pooled, since Server 2019 cannot attach an endpoint twice.
 */
export class HcnNetworks implements NetworkProvider {
  readonly #options: HcnNetworksOptions;
  readonly #records: RunRecords;
  /** Of endpoints' names. Another agent on this host has another one. */
  readonly #prefix: string;
  #api: Promise<HcnApi> | undefined;
  #network: Promise<Network> | undefined;

  constructor(options: HcnNetworksOptions) {
    this.#options = options;
    this.#records = new RunRecords(options.directory);
    this.#prefix = `loam-${createHash('sha256').update(options.agentId).digest('hex').slice(0, 12)}-`;
  }

  async connect(runId: string): Promise<RunNetwork> {
    const record = { namespace: this.#options.randomUUID(), endpoint: this.#options.randomUUID() };
    await this.#records.write(runId, record);
    try {
      await this.#make(runId, record);
    } catch (error) {
      // The network may have been replaced meanwhile: the next run looks for it anew.
      this.#network = undefined;
      await this.#release(runId, record);
      throw explainHcnFailure(error);
    }
    let releasing: Promise<void> | undefined;
    return {
      namespace: record.namespace,
      release: () => (releasing ??= this.#release(runId, record)),
    };
  }

  async reconcile(): Promise<number> {
    const runs = await this.#records.list();
    for (const run of runs) {
      const record = await this.#records.read(run);
      if (record === undefined) await this.#records.remove(run);
      else await this.#release(run, record);
    }
    return runs.length + (await this.#removeLeaks());
  }

  list(): Promise<string[]> {
    return this.#records.list();
  }

  async #make(runId: string, { namespace, endpoint }: RunRecord): Promise<void> {
    const api = await this.#open();
    const network = await (this.#network ??= this.#ensureNetwork());
    await api.createNamespace(namespace, schema);
    await api.createEndpoint(network.id, endpoint, {
      ...schema,
      Name: `${this.#prefix}${runId}`,
      HostComputeNetwork: network.id,
      Policies: [],
      // Empty: the service gives an address out of the network's own range.
      IpConfigurations: [],
      Dns: { Search: [], ServerList: this.#options.dnsServers },
      Routes: network.gateway === undefined ? [] : [{ NextHop: network.gateway, DestinationPrefix: defaultRoute }],
    });
    await api.modifyNamespace(namespace, attachment('Add', endpoint));
  }

  /** Detach, delete the endpoint, delete the namespace, and forget the ids only when all that is done (reference §6.1). */
  async #release(runId: string, { namespace, endpoint }: RunRecord): Promise<void> {
    const api = await this.#open();
    try {
      await ignoringGone(api.modifyNamespace(namespace, attachment('Remove', endpoint)));
      await ignoringGone(api.delete('endpoint', endpoint));
      await ignoringGone(api.delete('namespace', namespace));
    } catch (error) {
      throw explainHcnFailure(error);
    }
    await this.#records.remove(runId);
  }

  /** Endpoints that carry our name and belong to no run: their records were lost (reference §6.4). */
  async #removeLeaks(): Promise<number> {
    let api: HcnApi;
    try {
      api = await this.#open();
    } catch (error) {
      // A host without the service has no leaks; a step that needs it will say so.
      if (isLoamError(error, 'backend.hcn-unavailable')) return 0;
      throw error;
    }
    let removed = 0;
    for (const id of await api.enumerate('endpoint')) {
      const name = text(await this.#queryOrGone('endpoint', id), 'Name');
      if (name?.startsWith(this.#prefix) !== true) continue;
      await ignoringGone(api.delete('endpoint', id));
      removed += 1;
    }
    return removed;
  }

  async #ensureNetwork(): Promise<Network> {
    const found = await this.#findNetwork();
    if (found !== undefined) return found;
    const api = await this.#open();
    const id = this.#options.randomUUID();
    try {
      await api.createNetwork(id, {
        ...schema,
        Name: networkName,
        Type: 'NAT',
        Flags: 0,
        Ipams: [
          {
            Type: 'Static',
            Subnets: [
              {
                IpAddressPrefix: subnet.prefix,
                Routes: [{ NextHop: subnet.gateway, DestinationPrefix: defaultRoute }],
              },
            ],
          },
        ],
      });
    } catch (error) {
      // Somebody else made one at the same moment.
      const other = alreadyExists(error) ? await this.#findNetwork() : undefined;
      if (other === undefined) throw error;
      return other;
    }
    return { id, gateway: subnet.gateway };
  }

  /** A host has one NAT network, whoever made it; `Type` may be missing in it, so `nat` by name will do (reference §6.2, §6.4). */
  async #findNetwork(): Promise<Network | undefined> {
    const api = await this.#open();
    let fallback: Network | undefined;
    for (const id of await api.enumerate('network')) {
      const properties = await this.#queryOrGone('network', id);
      const network = { id, gateway: gatewayOf(properties) };
      if (text(properties, 'Name')?.toLowerCase() === networkName) return network;
      if (text(properties, 'Type')?.toUpperCase() === 'NAT') fallback ??= network;
    }
    return fallback;
  }

  async #queryOrGone(kind: HcnKind, id: string): Promise<object> {
    const api = await this.#open();
    try {
      return await api.query(kind, id);
    } catch (error) {
      if (isGone(error)) return {};
      throw error;
    }
  }

  #open(): Promise<HcnApi> {
    this.#api ??= this.#options.openApi();
    return this.#api;
  }
}

function attachment(requestType: 'Add' | 'Remove', endpoint: string): object {
  return { ResourceType: 'Endpoint', RequestType: requestType, Settings: { EndpointId: endpoint } };
}

async function ignoringGone(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function text(properties: object, name: string): string | undefined {
  const value = (properties as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : undefined;
}

interface NetworkProperties {
  readonly Ipams?: readonly {
    readonly Subnets?: readonly {
      readonly Routes?: readonly { readonly NextHop?: string; readonly DestinationPrefix?: string }[];
    }[];
  }[];
}

function gatewayOf(properties: NetworkProperties): string | undefined {
  const routes = (properties.Ipams ?? []).flatMap(({ Subnets }) => Subnets ?? []).flatMap(({ Routes }) => Routes ?? []);
  return routes.find(({ DestinationPrefix }) => DestinationPrefix === defaultRoute)?.NextHop;
}
