import type { ImageConfig, Network, Platform, SnapshotName, User } from '@loam/backend';
import type { ContainerdBackend } from '@loam/backend-containerd';
import { LoamError, toLoamError, type Clock, type PublicError } from '@loam/base';

export interface Phase {
  readonly name: string;
  readonly ok: boolean;
  readonly durationMs: number;
  readonly error?: PublicError;
  /** What the host said, in its own words: for who runs the program there, never for the farm. */
  readonly hostSays?: string;
}

export interface HealthOptions {
  readonly backend: Pick<ContainerdBackend, 'store' | 'sandbox' | 'fetcher' | 'settled'>;
  readonly platform: Platform;
  /** Of the base image. */
  readonly image: string;
  /** Look its tag up again. */
  readonly refresh: boolean;
  readonly network: Network;
  /** Names the snapshot, and is what the process says: new each time. */
  readonly nonce: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly phases: Phases;
}

/** Phases as they come to their ends. */
export class Phases {
  readonly done: Phase[] = [];
  readonly #clock: Clock;
  readonly #onPhase: (phase: Phase) => void;

  constructor(clock: Clock, onPhase: (phase: Phase) => void = () => undefined) {
    this.#clock = clock;
    this.#onPhase = onPhase;
  }

  get ok(): boolean {
    return this.done.every((phase) => phase.ok);
  }

  async time<T>(name: string, work: () => Promise<T>): Promise<T> {
    const startedAt = this.#clock.monotonic();
    try {
      const result = await work();
      this.ended(name, startedAt);
      return result;
    } catch (error) {
      this.ended(name, startedAt, error);
      throw error;
    }
  }

  ended(name: string, startedAt: number, error?: unknown): void {
    const durationMs = this.#clock.monotonic() - startedAt;
    const phase = { name, ok: error === undefined, durationMs, ...(error === undefined ? {} : describe(error)) };
    this.done.push(phase);
    this.#onPhase(phase);
  }
}

function describe(error: unknown): Pick<Phase, 'error' | 'hostSays'> {
  const known = toLoamError(error);
  return { error: known.toPublic(), ...(known.internal === undefined ? {} : { hostSays: known.internal }) };
}

const greeting = 'healthy';
/** In the order in which a run goes through them. */
const runPhases = ['create', 'start', 'first output', 'exit'] as const;

/**
 * One process on one base image, from the registry to a committed snapshot and its removal, each phase timed: what every
 * build goes through, without the engine around it. Throws what the phase that failed threw; leaves nothing behind.
 */
export async function checkHealth(options: HealthOptions): Promise<void> {
  const { backend, platform, phases, signal, nonce } = options;
  const { store, fetcher } = backend;
  const image = await phases.time('resolve', () =>
    fetcher.resolve(options.image, platform, { refresh: options.refresh, signal }),
  );
  const lease = await store.lease('healthcheck');
  const name = `loam-health-${nonce}` as SnapshotName;
  try {
    const parent = await phases.time('pull', () => fetcher.fetch(image, { lease, signal }));
    const working = await phases.time('prepare', () => store.prepare(parent, 'run', lease));
    try {
      await run(options, image.platform, image.config, working);
      await phases.time('commit', () => store.commit(working, name, {}));
    } catch (error) {
      await store.abandon(working);
      throw error;
    }
    await phases.time('remove', () => store.remove(name));
  } finally {
    await lease.release();
    await backend.settled();
  }
}

async function run(
  options: HealthOptions,
  platform: Platform,
  config: ImageConfig,
  working: Parameters<HealthOptions['backend']['sandbox']['run']>[0]['working'],
): Promise<void> {
  const { backend, phases, clock, nonce, network, signal } = options;
  const isWindows = platform.os === 'windows';
  const words = `${greeting} ${nonce}`;
  let output = '';
  let reached = 0;
  let since = clock.monotonic();
  const arrive = (name: (typeof runPhases)[number]): void => {
    // Output may come before the answer to the start: then it took no time of its own.
    for (; reached <= runPhases.indexOf(name); since = clock.monotonic())
      phases.ended(runPhases[reached++] ?? '', since);
  };
  try {
    const exit = await backend.sandbox.run(
      {
        label: 'healthcheck',
        platform,
        working,
        argv: isWindows ? ['cmd', '/c', `echo ${words}`] : ['/bin/sh', '-c', `echo ${words}`],
        workdir: isWindows ? 'C:\\' : '/',
        env: config.env,
        user: isWindows ? windowsUser(config) : { kind: 'id', uid: 0, gid: 0 },
        mounts: [],
        secrets: [],
        network,
        hostname: 'healthcheck',
        limits: {},
      },
      {
        onOutput(_, bytes) {
          if (output === '') arrive('first output');
          output += Buffer.from(bytes).toString();
        },
        onPhase: (name) => arrive(name === 'created' ? 'create' : name === 'started' ? 'start' : 'exit'),
      },
      signal,
    );
    if (exit.kind !== 'exited' || exit.code !== 0 || output.trim() !== words) {
      const how = exit.kind === 'exited' ? `exit code ${exit.meaning ?? exit.code}` : exit.kind;
      throw LoamError.of('backend.run-failed', { reason: `expected "${words}", got "${output.trim()}" and ${how}` });
    }
  } catch (error) {
    phases.ended(runPhases[reached] ?? 'output', since, error);
    throw error;
  }
}

/** The image's own, as a build takes it (reference §10 #37). */
function windowsUser({ user }: ImageConfig): User {
  return { kind: 'name', name: user === undefined || user === '' ? 'ContainerAdministrator' : user };
}
