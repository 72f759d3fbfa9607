import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Network } from '@loam/backend';

import type { BindMount } from './runc-spec.ts';

/** Where systemd-resolved lists the servers that it asks itself (systemd-resolved.service(8)). */
const systemdUpstream = '/run/systemd/resolve/resolv.conf';

/**
 * The files with which a container resolves names: its own host name always, and with a network what the host resolves
 * with. Written once for each host name and network kind.
 */
export class NameFiles {
  readonly #directory: string;
  readonly #resolvers: { readonly host: string; readonly upstream: string };
  readonly #hosts = new Map<string, Promise<string>>();

  constructor(directory: string, resolvers = { host: '/etc/resolv.conf', upstream: systemdUpstream }) {
    this.#directory = directory;
    this.#resolvers = resolvers;
  }

  async binds(hostname: string, network: Network): Promise<BindMount[]> {
    const hosts = { source: await this.#hostsFile(hostname, network), target: '/etc/hosts', readonly: true };
    if (network === 'none') return [hosts];
    const source = await this.#resolver(network);
    return source === undefined ? [hosts] : [hosts, { source, target: '/etc/resolv.conf', readonly: true }];
  }

  /** The loopback of a network namespace is its own: a resolver that listens on the host's is not there. */
  async #resolver(network: Network): Promise<string | undefined> {
    const { host, upstream } = this.#resolvers;
    const text = await readFile(host, 'utf8').catch(() => undefined);
    if (text === undefined || network === 'host') return text === undefined ? undefined : host;
    const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address]) => address as string);
    const isElsewhere = servers.some((address) => !/^(?:127\.|::1$)/.test(address));
    return isElsewhere || !(await exists(upstream)) ? host : upstream;
  }

  #hostsFile(hostname: string, network: Network): Promise<string> {
    const key = `${network === 'host' ? 'host' : 'none'}-${hostname.replaceAll(/[^A-Za-z0-9.-]/g, '_')}`;
    let file = this.#hosts.get(key);
    if (file === undefined) {
      file = this.#write(join(this.#directory, `hosts-${key}`), hostname, network);
      this.#hosts.set(key, file);
      file.catch(() => this.#hosts.delete(key));
    }
    return file;
  }

  async #write(path: string, hostname: string, network: Network): Promise<string> {
    await mkdir(this.#directory, { recursive: true, mode: 0o755 });
    const own = `127.0.0.1 localhost ${hostname}\n::1 localhost ip6-localhost ip6-loopback ${hostname}\n`;
    const hosts = network === 'host' ? await readFile('/etc/hosts', 'utf8').catch(() => '') : '';
    await writeFile(path, own + hosts, { mode: 0o644 });
    return path;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
