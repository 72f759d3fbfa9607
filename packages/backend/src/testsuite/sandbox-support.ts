import type { OutputStream, RunExit, RunRequest, SnapshotName, User, WorkingSnapshot } from '../index.ts';
import type { SandboxHarness } from './harness.ts';
import { directory, file, freshName, layer } from './support.ts';

const passwd = 'root:x:0:0:root:/root:/bin/sh\nbuilder:x:1000:1002::/home/builder:/bin/sh\n';
const group = 'root:x:0:\nbuilders:x:1002:\n';
const withUsers = new WeakMap<SandboxHarness, Promise<SnapshotName>>();

/** The harness's base with the users that the suite needs. */
export function baseWithUsers(harness: SandboxHarness): Promise<SnapshotName> {
  const known = withUsers.get(harness);
  if (known) return known;
  const made = layer(harness.store, harness.base, [
    directory('etc'),
    file('etc/passwd', passwd),
    file('etc/group', group),
    directory('private', { mode: 0o700, uid: 1000, gid: 1002 }),
  ]);
  withUsers.set(harness, made);
  return made;
}

export interface Ran {
  readonly exit: RunExit;
  readonly stdout: string;
  readonly stderr: string;
  readonly merged: string;
  readonly chunks: readonly OutputStream[];
}

export interface RunSetup extends Partial<Omit<RunRequest, 'working'>> {
  readonly working?: WorkingSnapshot;
  readonly stdin?: string | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
  readonly onText?: (text: string) => void;
}

/** Who may do everything. */
export function administrator({ files }: SandboxHarness): User {
  return files === 'windows' ? { kind: 'name', name: 'ContainerAdministrator' } : { kind: 'id', uid: 0, gid: 0 };
}

/** Who may do what users may. */
export function plainUser({ files }: SandboxHarness): User {
  return files === 'windows' ? { kind: 'name', name: 'ContainerUser' } : { kind: 'id', uid: 1000, gid: 1002 };
}

/** A request that runs `script` with nothing special, for tests to vary. */
export function requestFor(harness: SandboxHarness, working: WorkingSnapshot, script: string): RunRequest {
  return {
    label: 'conformance',
    platform: harness.platform,
    working,
    argv: ['/bin/sh', '-c', script],
    workdir: '/',
    env: [['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin']],
    user: administrator(harness),
    mounts: [],
    secrets: [],
    network: 'none',
    hostname: 'builder',
    limits: {},
  };
}

/** Prepares a working snapshot for the time of `use`; what `use` does not commit is abandoned. */
export async function onWorking<T>(
  harness: SandboxHarness,
  use: (working: WorkingSnapshot, parent: SnapshotName) => Promise<T>,
): Promise<T> {
  const { store } = harness;
  const base = await baseWithUsers(harness);
  const lease = await store.lease('conformance');
  try {
    const working = await store.prepare(base, 'run', lease);
    try {
      return await use(working, base);
    } finally {
      await store.abandon(working);
    }
  } finally {
    await lease.release();
  }
}

/** Runs `script` on a working snapshot, its own unless one is given. */
export async function run(harness: SandboxHarness, script: string, setup: RunSetup = {}): Promise<Ran> {
  const { working, stdin, signal, onText, ...fields } = setup;
  if (!working) return onWorking(harness, (own) => run(harness, script, { ...setup, working: own }));
  const parts: { stream: OutputStream; bytes: Uint8Array }[] = [];
  const text = (stream?: OutputStream): string =>
    Buffer.concat(parts.filter((part) => !stream || part.stream === stream).map((part) => part.bytes)).toString();
  const exit = await harness.sandbox.run(
    { ...requestFor(harness, working, script), ...fields },
    {
      onOutput: (stream, bytes) => {
        parts.push({ stream, bytes });
        onText?.(text());
      },
      ...(stdin === undefined ? {} : { stdin: typeof stdin === 'string' ? once(stdin) : stdin }),
    },
    signal ?? new AbortController().signal,
  );
  return { exit, stdout: text('stdout'), stderr: text('stderr'), merged: text(), chunks: parts.map((p) => p.stream) };
}

/** Runs `script` and commits what it left. */
export function runAndCommit(
  harness: SandboxHarness,
  script: string,
  setup: RunSetup = {},
): Promise<{ ran: Ran; name: SnapshotName }> {
  return onWorking(harness, async (working) => {
    const ran = await run(harness, script, { ...setup, working });
    const { name } = await harness.store.commit(working, freshName(), {});
    return { ran, name };
  });
}

async function* once(text: string): AsyncIterable<Uint8Array> {
  await Promise.resolve();
  if (text !== '') yield new TextEncoder().encode(text);
}
