import { LoamError } from '@loam/base';
import { protocolVersion, type AgentMessage } from '@loam/contracts';
import type { AgentRow } from '@loam/db';

import { closeCodes, type AgentLink, type AgentStanding } from './agent-link.ts';
import type { AttemptTracker } from './attempt-tracker.ts';
import type { GatewayParts } from './gateway-parts.ts';

type Hello = Extract<AgentMessage, { type: 'hello' }>;

/**
 * Answers an agent's first message: compares the attempts it has with those that the farm gave it, and tells it which go
 * on and from which record. `register` makes the link the agent's one link, before anything is decided by what it says.
 */
export async function greet(
  parts: GatewayParts,
  attempts: AttemptTracker,
  link: AgentLink,
  hello: Hello,
  register: () => void,
): Promise<void> {
  const { db, bus, clock, timing, releaser, log } = parts;
  if (hello.protocol !== protocolVersion) {
    const error = LoamError.of('agent.protocol-mismatch', { agent: hello.protocol, farm: protocolVersion });
    log.warn({ agentId: link.agentId }, error.message);
    link.close(closeCodes.protocol, error.code);
    return;
  }
  const agent = await db.agents.connected(link.agentId, {
    linkId: link.linkId,
    bootId: hello.bootId,
    facts: hello.facts,
    capacity: hello.slots,
    now: clock.now(),
  });
  if (agent === undefined) {
    link.close(closeCodes.revoked, 'revoked');
    return;
  }
  register();
  link.standing = standingOf(agent);
  link.capacity = hello.slots;
  // Read before attempts are given up: it tells of those, too.
  const known = await db.attempts.standing(
    link.agentId,
    hello.attempts.map((attempt) => attempt.attemptId),
  );
  const lost = await takeUp(parts, attempts, link, hello);
  await releaser.lose(lost);
  link.isReady = true;
  link.send({
    type: 'welcome',
    agentId: link.agentId,
    heartbeatMs: timing.heartbeatMs,
    attempts: hello.attempts.map(({ attemptId, fence }) => {
      const ours = known.find((attempt) => attempt.id === attemptId && attempt.fence === fence);
      return {
        attemptId,
        ackedSeq: ours?.ackedSeq ?? 0,
        live: ours !== undefined && ours.live && !lost.includes(attemptId),
      };
    }),
  });
  for (const live of await db.attempts.live({ agentId: link.agentId })) {
    if (!live.cancelRequested) continue;
    link.send({ type: 'cancel', attemptId: live.id, reason: 'Somebody cancelled the build.' });
  }
  log.info({ agentId: link.agentId, name: link.name, pool: link.pool }, 'agent connected');
  bus.publish('agent', { id: link.agentId, pool: link.pool });
  bus.publish('work', { pool: link.pool });
  void removeLate(parts, link);
}

export function standingOf(agent: Pick<AgentRow, 'draining' | 'quarantineReason' | 'slots'>): AgentStanding {
  return { draining: agent.draining, quarantined: agent.quarantineReason !== null, slots: agent.slots };
}

/** Goes on with the attempts that both sides know of; gives those that the agent has lost. */
async function takeUp(
  { db, clock, releaser }: GatewayParts,
  attempts: AttemptTracker,
  link: AgentLink,
  hello: Hello,
): Promise<string[]> {
  const named = new Map(hello.attempts.map((attempt) => [attempt.attemptId, attempt]));
  const lost: string[] = [];
  for (const live of await db.attempts.live({ agentId: link.agentId })) {
    const attempt = named.get(live.id);
    if (attempt === undefined && live.state === 'offered') {
      releaser.announce([await db.attempts.withdraw(live.id, clock.now())]);
    } else if (attempt === undefined || attempt.fence !== live.fence) {
      // The agent has forgotten it, and what it did.
      lost.push(live.id);
    } else if (!attempt.running && live.ackedSeq >= attempt.lastSeq) {
      // It is over without an end, and there is nothing more to come.
      lost.push(live.id);
    } else {
      const endsBy = attempt.running ? undefined : attempt.lastSeq;
      attempts.track(link, { attemptId: live.id, fence: live.fence, ackedSeq: live.ackedSeq, endsBy });
    }
  }
  return lost;
}

/** An operation has up to 4 KiB, as a label of containerd. An answer that is too long would cost the link, again and again. */
const describedAtOnce = 2_000;

/** Has the agent tell of steps that it holds and that no stored record speaks of: an attempt built them that was lost. */
export async function learnUnknown(parts: GatewayParts, link: AgentLink, held: readonly string[]): Promise<void> {
  const { db, ids, clock, timing, log } = parts;
  try {
    const unknown = await db.cache.unknown(held);
    if (unknown.length === 0) return;
    for (let from = 0; from < unknown.length; from += describedAtOnce) {
      const steps = unknown.slice(from, from + describedAtOnce);
      const request = { type: 'describe', requestId: ids.next('audit'), steps } as const;
      const answer = await link.request(request, timing.requestMs);
      if (answer.type === 'described') await db.cache.learn(link.agentId, answer.steps, clock.now());
    }
    parts.bus.publish('agent', { id: link.agentId, pool: link.pool });
  } catch (error) {
    log.warn({ err: error, agentId: link.agentId }, 'steps that an agent holds could not be learnt of yet');
  }
}

/** Has the agent remove what was deleted while it was away, or where its link could not be reached. */
export async function removeLate(parts: GatewayParts, link: AgentLink): Promise<void> {
  const { db, ids, clock, timing, log } = parts;
  try {
    const steps = await db.cache.toRemove(link.agentId);
    if (steps.length === 0) return;
    const answer = await link.request({ type: 'remove', requestId: ids.next('audit'), steps }, timing.requestMs);
    const gone = new Set(answer.type === 'removed' ? answer.steps : []);
    await db.cache.removed(link.agentId, [...gone]);
    const kept = steps.filter((step) => !gone.has(step));
    await db.cache.keep(link.agentId, kept, clock.now());
    parts.bus.publish('agent', { id: link.agentId, pool: link.pool });
  } catch (error) {
    log.warn({ err: error, agentId: link.agentId }, 'what was deleted meanwhile could not be removed yet');
  }
}
