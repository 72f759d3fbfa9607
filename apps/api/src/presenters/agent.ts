import type { Agent, AgentState } from '@loam/contracts';
import type { AgentDetailRow } from '@loam/db';

/** What of an agent's state is not in its row: how long ago "seen" is still "connected". */
export interface AgentTimes {
  readonly now: number;
  readonly heartbeatMs: number;
}

export function presentAgent(row: AgentDetailRow, times: AgentTimes): Agent {
  return {
    id: row.id,
    name: row.name,
    pool: row.pool,
    state: agentState(row, times),
    reason: row.quarantineReason,
    slots: Math.min(row.slots ?? row.capacity ?? 1, row.capacity ?? row.slots ?? 1),
    facts: row.facts,
    enrolledAt: row.enrolledAt,
    lastSeenAt: row.lastSeenAt,
    running: row.running,
    snapshots: row.snapshots,
    snapshotBytes: row.snapshotBytes,
    doctor: row.doctor,
  };
}

export function agentState(row: AgentDetailRow, { now, heartbeatMs }: AgentTimes): AgentState {
  if (row.revokedAt !== null) return 'revoked';
  // The row of an agent whose API process was killed still names a link; its silence tells.
  const isConnected = row.linkId !== null && (row.lastSeenAt ?? 0) > now - 4 * heartbeatMs;
  if (!isConnected) return 'offline';
  if (row.quarantineReason !== null) return 'quarantined';
  return row.draining ? 'draining' : 'online';
}

/** Why a queued build of a pool is not running, in a sentence. `agents` are those of the pool. */
export function waitingReason(pool: string, agents: readonly AgentDetailRow[], times: AgentTimes): string {
  const enrolled = agents.filter((agent) => agent.revokedAt === null);
  const states = enrolled.map((agent) => ({ agent, state: agentState(agent, times) }));
  if (enrolled.length === 0) return `No agent of the pool "${pool}" was ever enrolled.`;
  const connected = states.filter(({ state }) => state !== 'offline');
  if (connected.length === 0) {
    const seen = Math.max(...enrolled.map((agent) => agent.lastSeenAt ?? 0));
    const since = seen === 0 ? '' : ` The last one was seen ${ago(times.now - seen)}.`;
    return `No agent of the pool "${pool}" is connected.${since}`;
  }
  const online = connected.filter(({ state }) => state === 'online');
  if (online.length === 0) {
    const what = connected.every(({ state }) => state === 'draining') ? 'draining' : 'draining or quarantined';
    return `Every connected agent of the pool "${pool}" is ${what}.`;
  }
  const isBusy = online.every(({ agent }) => agent.running.length >= (agent.slots ?? agent.capacity ?? 1));
  if (isBusy) return online.length === 1 ? 'The only agent is busy.' : `All ${online.length} agents are busy.`;
  return 'It is about to be given to an agent.';
}

function ago(ms: number): string {
  if (ms < 90_000) return `${Math.max(1, Math.round(ms / 1000))} s ago`;
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)} min ago`;
  if (ms < 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h ago`;
  return `${Math.round(ms / 86_400_000)} days ago`;
}
