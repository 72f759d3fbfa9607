import { isLoamError } from '@loam/base';

import { endpointPrefix } from '../../network-names.ts';
import { undoEach, type NetworkProvider, type RunNetwork } from '../../networks.ts';
import { HcnFailure, type HcnApi } from './hcn-api.ts';
import { explainHcnFailure } from './hcn-errors.ts';
import { defaultRoute, hcnSchema, ignoringGone, NatNetwork, queryOrGone, textOf } from './nat-network.ts';
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
  /** Of the NAT network, instead of the one that the host has. */
  readonly networkName?: string | undefined;
  /** Of a NAT network that has to be made. */
  readonly subnet?: string | undefined;
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
  readonly #network: NatNetwork;

  constructor(options: HcnNetworksOptions) {
    this.#options = options;
    this.#records = new RunRecords(options.directory);
    this.#network = new NatNetwork({
      openApi: () => this.#open(),
      randomUUID: options.randomUUID,
      name: options.networkName,
      subnet: options.subnet,
    });
    this.#prefix = endpointPrefix(options.agentId);
  }

  async connect(runId: string): Promise<RunNetwork> {
    // Without the service nothing can be made, and nothing must be remembered that nobody could undo.
    await this.#open();
    const record = { namespace: this.#options.randomUUID(), endpoint: this.#options.randomUUID() };
    await this.#records.write(runId, record);
    try {
      await this.#make(runId, record);
    } catch (error) {
      // The network may have been replaced meanwhile: the next run looks for it anew.
      this.#network.forget();
      // Why it failed matters more than that it cannot be undone: the record stays, and the next life tries again.
      await this.#release(runId, record).catch(() => undefined);
      throw explainHcnFailure(error);
    }
    let releasing: Promise<void> | undefined;
    return {
      namespace: record.namespace,
      release: () => (releasing ??= this.#release(runId, record)),
    };
  }

  async reconcile(): Promise<number> {
    const removed = await undoEach(await this.#records.list(), async (run) => {
      const record = await this.#records.read(run);
      if (record === undefined) await this.#records.remove(run);
      else await this.#release(run, record);
    });
    return removed + (await this.#removeLeaks());
  }

  list(): Promise<string[]> {
    return this.#records.list();
  }

  async #make(runId: string, { namespace, endpoint }: RunRecord): Promise<void> {
    const api = await this.#open();
    const network = await this.#network.ensure();
    await api.createNamespace(namespace, hcnSchema);
    await api.createEndpoint(network.id, endpoint, {
      ...hcnSchema,
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

  /**
   * Endpoints that carry our name and belong to no run: their records were lost (reference §6.4). A host whose service is
   * missing or ill is asked again by the next life; a step that needs the service will say what is wrong with it.
   */
  async #removeLeaks(): Promise<number> {
    let leaks: string[];
    try {
      leaks = await this.#leaks(await this.#open());
    } catch (error) {
      if (isLoamError(error, 'backend.hcn-unavailable') || error instanceof HcnFailure) return 0;
      throw error;
    }
    return undoEach(leaks, async (id) => ignoringGone((await this.#open()).delete('endpoint', id)));
  }

  async #leaks(api: HcnApi): Promise<string[]> {
    const remembered = await this.#records.list();
    const kept = new Set(remembered.map((run) => this.#prefix + run));
    const leaks: string[] = [];
    for (const id of await api.enumerate('endpoint')) {
      const name = textOf(await queryOrGone(api, 'endpoint', id), 'Name');
      if (name?.startsWith(this.#prefix) === true && !kept.has(name)) leaks.push(id);
    }
    return leaks;
  }

  #open(): Promise<HcnApi> {
    this.#api ??= this.#options.openApi();
    this.#api.catch(() => (this.#api = undefined));
    return this.#api;
  }
}

function attachment(requestType: 'Add' | 'Remove', endpoint: string): object {
  return { ResourceType: 'Endpoint', RequestType: requestType, Settings: { EndpointId: endpoint } };
}
