import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { defineCheck, ok, problem, skipped, warning, type Verdict } from '../check.ts';
import { hostNetworks, isNat, type HostNetwork } from './nat-network.ts';

/** Where go-cni looks on Windows, which takes the first file by name (reference §6.3). */
const confDirectory = 'C:\\Program Files\\containerd\\cni\\conf';

interface NatConf {
  readonly name?: string;
  readonly type?: string;
  readonly ipam?: {
    readonly subnet?: string;
    readonly routes?: readonly Readonly<Record<string, string>>[];
  };
}

export interface CniFacts {
  /** Whether the agent is told to connect steps by it. */
  readonly isUsed: boolean;
  readonly file?: string;
  /** Undefined when the file is no JSON. */
  readonly conf?: NatConf | undefined;
  readonly nat: HostNetwork | undefined;
}

/**
 * Loam reads the live network and needs no file. One that is there is for others (`ctr run --cni`, nerdctl), or for an agent
 * that is told to use CNI, and goes wrong when the network is made anew with another subnet (reference §6.3, §6.4, §10 #29).
 */
export const cniConf = defineCheck<CniFacts>({
  id: 'network.cni',
  title: 'CNI configuration',
  only: 'windows',
  async gather(host) {
    const { provider, cniConfDirectory = confDirectory } = host.windows.network ?? {};
    const names = await readdir(cniConfDirectory).catch(() => []);
    const [name] = names.filter((one) => /\.(conf|conflist|json)$/.test(one)).toSorted();
    const isUsed = provider === 'cni';
    if (name === undefined) return { isUsed, nat: undefined };
    const file = join(cniConfDirectory, name);
    const text = await readFile(file, 'utf8');
    const networks = await host.hcn().then(hostNetworks);
    return { isUsed, file, conf: parseConf(text), nat: networks.find(isNat) };
  },
  judge: judgeCni,
});

/** A conflist is judged by its first plugin. */
export function parseConf(text: string): NatConf | undefined {
  try {
    const conf = JSON.parse(text) as NatConf & { plugins?: readonly NatConf[] };
    return conf.plugins === undefined ? conf : { ...conf.plugins[0], ...(conf.name ? { name: conf.name } : {}) };
  } catch {
    return undefined;
  }
}

export function judgeCni({ isUsed, file, conf, nat }: CniFacts): Verdict {
  const unused = 'Loam asks the Host Network Service itself.';
  if (file === undefined && isUsed) {
    return problem(
      'There is no CNI configuration, and the agent is told to use one.',
      'Steps with a network cannot be started.',
      'Put one there, or start the agent with --network-provider hcn.',
    );
  }
  if (file === undefined) return skipped('There is no CNI configuration.', unused);
  if (conf === undefined) {
    return warning(
      `${file} is not JSON.`,
      'Steps by CNI, `ctr run --cni` and nerdctl have no network.',
      'Write it anew, in UTF-8 without a byte order mark.',
    );
  }
  if (conf.type !== 'nat') return skipped(`${file} is for the plugin "${conf.type}".`, unused);
  if (nat === undefined)
    return skipped(`${file} names "${conf.name}"; there is no NAT network yet.`, 'The plugin makes it.');
  const faults: string[] = [];
  if (conf.name !== nat.name) faults.push(`it names the network "${conf.name}", the host's is "${nat.name}"`);
  const { subnet, routes = [] } = conf.ipam ?? {};
  if (subnet !== undefined && subnet !== nat.prefix)
    faults.push(`its subnet is ${subnet}, the network's ${nat.prefix}`);
  const gateways = routes.map((route) => route['GW'] ?? route['gw']);
  if (routes.some((route) => 'gateway' in route))
    faults.push('it writes "gateway", which the plugin does not read: GW');
  else if (gateways.some((gateway) => gateway !== undefined && gateway !== nat.gateway)) {
    faults.push(`its gateway is ${gateways.join(', ')}, the network's ${nat.gateway}`);
  }
  if (faults.length === 0)
    return ok(`${file} says what the network "${nat.name}" is.`, 'Both ways lead to one network.');
  const right = JSON.stringify({ subnet: nat.prefix, routes: [{ GW: nat.gateway }] });
  return warning(
    `${file}: ${faults.join('; ')}.`,
    `Containers that are connected by it have no names or no way out. ${isUsed ? 'Steps are among them.' : 'Steps are not: Loam connects them by itself.'}`,
    `Write "name": "${nat.name}" and "ipam": ${right} into it.`,
  );
}
