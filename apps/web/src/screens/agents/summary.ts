import type { Agent } from '@loam/contracts';

import { plural } from '../../components/format.ts';

/** How many agents are connected, and what they could take. A draining one is there, and takes nothing. */
export function summaryOf(agents: readonly Agent[]): string {
  const taking = agents.filter(({ state }) => state === 'online');
  const draining = agents.filter(({ state }) => state === 'draining').length;
  const free = taking.reduce((sum, agent) => sum + Math.max(0, agent.slots - agent.running.length), 0);
  const online = `${taking.length + draining} of ${plural(agents.length, 'agent')} online`;
  return `${online}${draining === 0 ? '' : ` (${draining} draining)`}, ${plural(free, 'free slot')}`;
}
