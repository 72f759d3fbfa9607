import { createHash } from 'node:crypto';

import type { NamespaceMaker } from '../../cni/cni-networks.ts';
import type { HcnApi } from '../hcn/hcn-api.ts';
import { hcnSchema, ignoringGone } from '../hcn/nat-network.ts';

/**
 * Namespaces of the Host Compute Network service for CNI plugins, which do not make them (reference §6.1, §6.3). A run's GUID
 * follows from its id, so after a crash nobody has to remember it.
 */
export function hcnNamespaces(agentId: string, openApi: () => Promise<HcnApi>): NamespaceMaker {
  const place = (runId: string): string => guidOf(`${agentId} ${runId}`);
  return {
    place,
    async make(runId) {
      await (await openApi()).createNamespace(place(runId), hcnSchema);
    },
    async remove(runId) {
      await ignoringGone((await openApi()).delete('namespace', place(runId)));
    },
  };
}

/** A GUID made of a hash, in the form of RFC 9562's version 8. */
function guidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
