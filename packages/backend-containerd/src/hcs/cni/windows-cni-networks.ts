import { CniNetworks } from '../../cni/cni-networks.ts';
import { Conflist, pluginsIn, type ConflistDocument, type RunPlugin } from '../../cni/conflist.ts';
import type { NetworkProvider } from '../../networks.ts';
import type { HcnApi } from '../hcn/hcn-api.ts';
import { explainHcnFailure } from '../hcn/hcn-errors.ts';
import { NatNetwork, type FoundNetwork } from '../hcn/nat-network.ts';
import { checkAttachment } from './attachment-check.ts';
import { readConflist } from './conf-directory.ts';
import { hcnNamespaces } from './hcn-namespaces.ts';

export interface WindowsCniOptions {
  readonly openApi: () => Promise<HcnApi>;
  readonly agentId: string;
  readonly randomUUID: () => string;
  /** For what was answered to each run. */
  readonly directory: string;
  readonly dnsServers: readonly string[];
  /** Without a configuration in it, one is made from the NAT network that the host has (reference §6.4). */
  readonly confDirectory?: string | undefined;
  readonly binDirectory?: string | undefined;
  readonly networkName?: string | undefined;
  readonly subnet?: string | undefined;
  readonly runPlugin?: RunPlugin;
}

/** Where go-cni and `ctr run --cni` look on Windows (reference §6.3). */
const defaultConfDirectory = 'C:\\Program Files\\containerd\\cni\\conf';
const defaultBinDirectory = 'C:\\Program Files\\containerd\\cni\\bin';

/** Networks by CNI plugins on Windows: namespaces through the Host Compute Network service, everything else by `nat.exe` or any other chain. */
export class WindowsCniNetworks implements NetworkProvider {
  readonly #options: WindowsCniOptions;
  #networks: Promise<CniNetworks> | undefined;

  constructor(options: WindowsCniOptions) {
    this.#options = options;
  }

  async connect(runId: string): Promise<Awaited<ReturnType<NetworkProvider['connect']>>> {
    try {
      const network = await (await this.#open()).connect(runId);
      return { ...network, release: () => network.release().catch(rethrowExplained) };
    } catch (error) {
      // The host's network or the configuration may be mended before the next run.
      this.#networks = undefined;
      throw explainHcnFailure(error);
    }
  }

  async reconcile(): Promise<number> {
    if ((await this.list()).length === 0) return 0;
    return (await this.#open()).reconcile().catch(rethrowExplained);
  }

  list(): Promise<string[]> {
    return this.#chain({ cniVersion: '', name: '', plugins: [] }).list();
  }

  #open(): Promise<CniNetworks> {
    this.#networks ??= this.#document().then((document) => this.#chain(document));
    this.#networks.catch(() => (this.#networks = undefined));
    return this.#networks;
  }

  #chain(document: ConflistDocument): CniNetworks {
    const { agentId, openApi, directory, binDirectory = defaultBinDirectory } = this.#options;
    const { runPlugin = pluginsIn(binDirectory) } = this.#options;
    return new CniNetworks({
      conflist: new Conflist(document, runPlugin),
      namespaces: hcnNamespaces(agentId, openApi),
      directory,
      check: async (attachment, result) => checkAttachment(await openApi(), attachment, result),
    });
  }

  async #document(): Promise<ConflistDocument> {
    const { confDirectory = defaultConfDirectory, dnsServers, openApi, randomUUID } = this.#options;
    const written = await readConflist(confDirectory);
    if (written !== undefined) return written;
    const { networkName: name, subnet } = this.#options;
    return natConflist(await new NatNetwork({ openApi, randomUUID, name, subnet }).ensure(), dnsServers);
  }
}

function rethrowExplained(error: unknown): never {
  throw explainHcnFailure(error);
}

/** A configuration of `nat.exe` for a network that is there. The gateway's key is `GW`: `gateway` is ignored (reference §6.3). */
export function natConflist(network: FoundNetwork, dnsServers: readonly string[]): ConflistDocument {
  const { name, prefix, gateway } = network;
  const routes = gateway === undefined ? [] : [{ GW: gateway }];
  return {
    cniVersion: '1.0.0',
    name,
    plugins: [
      {
        type: 'nat',
        master: 'Ethernet',
        ...(prefix === undefined ? {} : { ipam: { subnet: prefix, routes } }),
        capabilities: { portMappings: true, dns: true },
        dns: { nameservers: dnsServers },
      },
    ],
  };
}
