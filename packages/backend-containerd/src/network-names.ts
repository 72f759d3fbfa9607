import { createHash } from 'node:crypto';

/** How the names of an agent's HCN endpoints begin. Another agent on the host has another beginning. */
export function endpointPrefix(agentId: string): string {
  return `loam-${hashOf(agentId).slice(0, 12)}-`;
}

/** How the names of an agent's network namespaces on Linux begin. */
export function namespacePrefix(agentId: string): string {
  return `loam-${hashOf(agentId).slice(0, 8)}-`;
}

function hashOf(agentId: string): string {
  return createHash('sha256').update(agentId).digest('hex');
}
