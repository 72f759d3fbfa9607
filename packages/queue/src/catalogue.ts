/**
 * Every job there is. A job wakes somebody up and carries no truth: what is to be done stands in Postgres, so a job that is
 * lost, doubled or late does no harm.
 */
export interface JobEntry<Payload> {
  /** Checks what came out of the queue (or is about to go in); throws on anything else. */
  readonly parse: (payload: unknown) => Payload;
  /** The handler's signal is aborted after this many milliseconds. */
  readonly timeoutMs: number;
  /** How long the job rests after its handler threw, in milliseconds. It is tried until a handler says that it is done. */
  readonly backoffMs: number;
}

function entry<Payload>(value: JobEntry<Payload>): JobEntry<Payload> {
  return value;
}

export const jobs = {
  /** A build of a pool waits for an agent. One queue per pool; the job's id is the build's. */
  build: entry<BuildPayload>({
    parse(payload) {
      const buildId = (payload as Partial<BuildPayload> | null)?.buildId;
      if (typeof buildId !== 'string' || buildId === '') throw new TypeError('a build job without a build id');
      return { buildId };
    },
    timeoutMs: 30_000,
    backoffMs: 1_000,
  }),
  /** Puts builds that are queued in Postgres but have no job back into their queues. */
  reconcile: entry({ parse: parseNothing, timeoutMs: 30_000, backoffMs: 1_000 }),
  /** Ends what has outlived its time: offers without an answer, silent agents, tokens, old logs. */
  expire: entry({ parse: parseNothing, timeoutMs: 60_000, backoffMs: 1_000 }),
} as const;

export interface BuildPayload {
  readonly buildId: string;
}

/** Jobs that repeat, on the queue `housekeeping`. One process of the farm runs each beat. */
export type HousekeepingJob = 'reconcile' | 'expire';

/** The queue of a pool's builds. BullMQ refuses colons in names, and pools have none. */
export function buildQueueName(pool: string): string {
  return `builds-${pool}`;
}

export const housekeepingQueueName = 'housekeeping';

/** BullMQ serves small numbers first and wants at least 1 for a job with a priority; ours are -100…100, higher first. */
export function toQueuePriority(priority: number): number {
  return 101 - Math.max(-100, Math.min(100, Math.trunc(priority)));
}

function parseNothing(): Record<string, never> {
  return {};
}
