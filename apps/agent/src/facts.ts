import { cpus, hostname, release, totalmem } from 'node:os';

import { formatPlatform, type Platform } from '@loam/backend';
import type { AgentFacts } from '@loam/contracts';

import type { Host } from './host.ts';
import { agentVersion } from './version.ts';

/** What the farm shows about this host. The disk is the one on which containerd keeps snapshots. */
export async function gatherFacts(host: Host): Promise<AgentFacts> {
  const [{ version }, disk] = await Promise.all([host.client.version(), host.backend.store.disk()]);
  return {
    version: agentVersion(),
    hostname: hostname(),
    platform: describePlatform(host.platform, release()),
    containerd: version,
    cpus: cpus().length,
    memoryBytes: totalmem(),
    diskTotalBytes: disk.totalBytes,
    diskFreeBytes: disk.freeBytes,
  };
}

/** On Windows with the host's build: it decides which images run here (reference §7.3). */
export function describePlatform(platform: Platform, osRelease: string): string {
  return formatPlatform(platform.os === 'windows' ? { ...platform, osVersion: osRelease } : platform);
}
