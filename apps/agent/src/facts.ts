import { cpus, hostname, totalmem } from 'node:os';

import { formatPlatform } from '@loam/backend';
import type { AgentFacts } from '@loam/contracts';

import type { Host } from './host.ts';
import { agentVersion } from './version.ts';

/** What the farm shows about this host. The disk is the one on which containerd keeps snapshots. */
export async function gatherFacts(host: Host): Promise<AgentFacts> {
  const [{ version }, disk] = await Promise.all([host.client.version(), host.backend.store.disk()]);
  return {
    version: agentVersion(),
    hostname: hostname(),
    platform: formatPlatform(host.platform),
    containerd: version,
    cpus: cpus().length,
    memoryBytes: totalmem(),
    diskTotalBytes: disk.totalBytes,
    diskFreeBytes: disk.freeBytes,
  };
}
