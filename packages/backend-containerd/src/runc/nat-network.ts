import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { LoamError } from '@loam/base';

import { CniNetworks, type NamespaceMaker } from '../cni/cni-networks.ts';
import { Conflist, pluginsIn, type ConflistDocument } from '../cni/conflist.ts';
import { namespacePrefix } from '../network-names.ts';
import type { NetworkProvider } from '../networks.ts';

const run = promisify(execFile);
/** Debian's containernetworking-plugins, and where everybody else puts them. */
const pluginDirectories = ['/usr/lib/cni', '/opt/cni/bin'];

/** A bridge behind NAT (reference §6.5). Addresses are forgotten with the host's memory, as the interfaces that had them are. */
const conflist: ConflistDocument = {
  cniVersion: '0.4.0',
  name: 'loam',
  plugins: [
    {
      type: 'bridge',
      bridge: 'loam0',
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        dataDir: '/run/loam-cni',
        ranges: [[{ subnet: '10.213.0.0/16' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'firewall' },
  ],
};

/**
 * `(network nat)` on Linux: a bridge and host-local addresses by CNI plugins. Throws `backend.network-unsupported` at the first
 * use when the host does not have them.
 */
export function natNetwork(
  directory: string,
  agentId: string,
  plugins: readonly string[] = pluginDirectories,
): NetworkProvider {
  const prefix = namespacePrefix(agentId);
  let networks: Promise<CniNetworks> | undefined;
  const open = (): Promise<CniNetworks> => {
    networks ??= findPlugins(plugins).then(
      (found) =>
        new CniNetworks({
          conflist: new Conflist(conflist, pluginsIn(found)),
          namespaces: namespaces(prefix),
          directory,
        }),
    );
    networks.catch(() => (networks = undefined));
    return networks;
  };
  const records = new CniNetworks({
    conflist: new Conflist(conflist, pluginsIn('')),
    namespaces: namespaces(prefix),
    directory,
  });
  return {
    connect: async (runId) => (await open()).connect(runId),
    async reconcile() {
      if ((await records.list()).length === 0) return 0;
      // Without plugins nothing can be undone now.
      const found = await open().catch(() => undefined);
      return (await found?.reconcile()) ?? 0;
    },
    list: () => records.list(),
  };
}

async function findPlugins(directories: readonly string[]): Promise<string> {
  for (const directory of directories) {
    const found = await access(join(directory, 'bridge')).then(
      () => true,
      () => false,
    );
    if (!found) continue;
    // A package of its own, which small installations lack.
    await run('ip', ['-V']).catch((cause: unknown) => {
      throw LoamError.of('backend.network-unsupported', { network: 'nat' }, { cause });
    });
    return directory;
  }
  throw LoamError.of('backend.network-unsupported', { network: 'nat' });
}

/** Named network namespaces, as ip-netns(8) makes them, with the loopback interface up. */
function namespaces(prefix: string): NamespaceMaker {
  const place = (runId: string): string => join('/run/netns', prefix + runId);
  return {
    place,
    async make(runId) {
      await run('ip', ['netns', 'add', prefix + runId]);
      await run('ip', ['-n', prefix + runId, 'link', 'set', 'lo', 'up']);
    },
    async remove(runId) {
      await run('ip', ['netns', 'delete', prefix + runId]).catch(async (error: unknown) => {
        // Gone already, or still there for another reason.
        if (
          await access(place(runId)).then(
            () => true,
            () => false,
          )
        )
          throw error;
      });
    },
  };
}
