import { createHash } from 'node:crypto';

import { systemClock, type Digest } from '@loam/base';
import { baseLayer } from '@loam/containerd-model';
import { manifestContext } from '@loam/context';
import { createEngine, memoryLogSpool, type BuildEvent, type Engine } from '@loam/engine';
import { parseSpec } from '@loam/spec';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { openModelBackend, windowsPlatform, type ModelBackend } from '../testing/model-backend.ts';
import { dockerSave, makeImage } from '../testing/test-images.ts';

// The article's flow, through the engine: fetch, run, commit, next step, with the network and without, copies, two stages,
// secrets, a cache, a cancellation and a crash. On a model of Windows containerd, which proves nothing about Windows.
const nano = 'mcr.example.org/windows/nanoserver:ltsc2022';
let test: ModelBackend;
let engine: Engine;

beforeEach(async () => {
  test = await openModelBackend({ model: { mutationThreshold: 1 }, backend: { killGraceMs: 100 } });
  const image = await makeImage({
    layers: [{}],
    layerTar: () => baseLayer(),
    os: 'windows',
    architecture: 'amd64',
    osVersion: windowsPlatform.osVersion ?? '',
    config: { env: [['Path', 'C:\\Windows\\System32']], user: 'ContainerUser', workdir: undefined, shell: undefined },
  });
  await test.backend.fetcher.importArchive(dockerSave(image, nano), {});
  engine = openEngine();
});
afterEach(async () => {
  await engine.idle();
  const left = await test.leftovers();
  await test.close();
  expect(left).toEqual([]);
});

function openEngine(): Engine {
  const { store, sandbox, fetcher } = test.backend;
  const platform = { os: 'windows', architecture: 'amd64' } as const;
  return createEngine({ store, sandbox, fetcher, platform, clock: systemClock, logs: memoryLogSpool() });
}

interface Built {
  readonly kind: string;
  readonly error?: unknown;
  /** `POSITION OUTCOME` of each step. */
  readonly ended: string[];
  readonly log: string;
  readonly snapshot: string;
}

async function build(
  text: string,
  options: { files?: Record<string, string>; signal?: AbortSignal; onLog?: (text: string) => void } = {},
): Promise<Built> {
  const { spec, diagnostics } = parseSpec(text);
  if (!spec) throw new Error(JSON.stringify(diagnostics));
  const events: BuildEvent[] = [];
  const log = (): string =>
    events.map((event) => (event.type === 'step-log' ? Buffer.from(event.bytes).toString() : '')).join('');
  const outcome = await engine.build(
    {
      spec,
      context: filesContext(options.files ?? {}),
      secrets: new Map([['token', new TextEncoder().encode('s3cret')]]),
      limits: {},
      owner: 'story',
    },
    (event) => {
      events.push(event);
      options.onLog?.(log());
    },
    options.signal ?? new AbortController().signal,
  );
  return {
    kind: outcome.kind,
    ...(outcome.kind === 'failed' ? { error: outcome.error } : {}),
    ended: events.flatMap((event) => (event.type === 'step-ended' ? [`${event.position} ${event.outcome}`] : [])),
    log: log(),
    snapshot: outcome.kind === 'succeeded' ? outcome.snapshot : '',
  };
}

function filesContext(files: Record<string, string>) {
  const bytes = new Map(Object.entries(files).map(([path, text]) => [path, new TextEncoder().encode(text)]));
  const entries = [...bytes].map(([path, content]) => ({
    kind: 'file' as const,
    path,
    sizeBytes: content.length,
    mode: 0o644,
    digest: `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest,
  }));
  return manifestContext(entries, async function* (file) {
    yield bytes.get(file.path) ?? new Uint8Array();
  });
}

const story = String.raw`
((build tools (
   (from ${nano})
   (user (name ContainerAdministrator))
   (run (shell "mkdir C:\\tools & echo compiler> C:\\tools\\cc.txt"))))
 (from ${nano})
 (user (name ContainerAdministrator))
 (workdir "C:\\src")
 (env MODE release)
 (copy (src main.c) (dst "C:\\src\\"))
 (copy (from (build tools)) (src /tools/cc.txt) (dst "C:\\bin\\"))
 (run
   (cache (objects (target "C:\\cache")))
   (secrets (token (target "C:\\token.txt")))
   (network host)
   (shell "type C:\\token.txt & type C:\\BIN\\cc.txt & type main.c & echo %MODE%> C:\\out.txt & ipconfig & echo object> C:\\cache\\main.o"))
 (run (shell "type C:\\out.txt & ipconfig & if exist C:\\token.txt echo LEAKED")))`;

it('fetches, copies from the project and from another build, runs with cache, secret and network, and commits each step', async () => {
  const built = await build(story, { files: { 'main.c': 'int main;' } });
  expect(built).toMatchObject({ kind: 'succeeded' });
  expect(built.log).toContain('s3cretcompiler\r\nint main;');
  expect(built.log).toContain('Ethernet adapter');
  expect(built.log).toContain('release');
  expect(test.model.textIn('loam', built.snapshot, 'out.txt')?.trim()).toBe('release');
  // A mount point may stay behind; what was mounted may not.
  expect(test.model.textIn('loam', built.snapshot, 'token.txt') ?? '').toBe('');
  expect(test.model.textIn('loam', built.snapshot, 'cache/main.o')).toBeUndefined();
  const again = await build(story, { files: { 'main.c': 'int main;' } });
  expect(again.kind).toBe('succeeded');
  expect(again.snapshot).toBe(built.snapshot);
  expect(again.ended.filter((line) => !line.endsWith(' hit') && !line.endsWith('skipped'))).toEqual([]);
});

it('a failed step is told with its exit code and is no part of the cache', async () => {
  const spec = `((from ${nano}) (run (shell "echo before & exit 3")))`;
  expect(await build(spec)).toMatchObject({ kind: 'failed', error: { code: 'engine.step-failed' } });
  expect(await build(spec)).toMatchObject({ kind: 'failed' });
});

it('a cancelled step ends, and the next build goes on from the step before it', async () => {
  const abort = new AbortController();
  const spec = `((from ${nano}) (user (name ContainerAdministrator)) (run (shell "echo one> C:/one.txt")) (run (shell "echo started & ping -n 100 127.0.0.1")))`;
  const cancelled = await build(spec, {
    signal: abort.signal,
    onLog: (text) => {
      if (text.includes('started')) abort.abort();
    },
  });
  expect(cancelled.kind).toBe('cancelled');
  const next = await build(spec.replace('ping -n 100 127.0.0.1', 'type C:\\\\one.txt'));
  expect(next).toMatchObject({ kind: 'succeeded' });
  expect(next.log).toContain('one\r\n');
});

it('a crash of the agent in the middle of a step leaves nothing that reconcile does not remove, and keeps what was committed', async () => {
  const spec = `((from ${nano}) (user (name ContainerAdministrator)) (run (shell "echo one> C:/one.txt")) (run (network host) (shell "echo started & ping -n 100 127.0.0.1")))`;
  const started = Promise.withResolvers<void>();
  const lost = build(spec, {
    onLog: (text) => {
      if (text.includes('started')) started.resolve();
    },
  });
  lost.catch(() => undefined);
  await started.promise;
  const reborn = await test.crash();
  const report = await reborn.store.reconcile();
  expect(report).toMatchObject({ tasks: 1, containers: 1, workingSnapshots: 1, leases: 1, networks: 1 });
  await lost.catch(() => undefined);
  await engine.idle();
  engine = openEngine();
  const next = await build(spec.replace('ping -n 100 127.0.0.1', 'type C:\\\\one.txt'));
  expect(next.log).toContain('one\r\n');
  expect(next.ended.filter((line) => line.endsWith(' hit')).length).toBeGreaterThan(0);
});

it('the daemon may restart under a step', async () => {
  const spec = `((from ${nano}) (run (shell "echo started & ping -n 3 127.0.0.1 & echo finished")))`;
  let restarted: Promise<void> | undefined;
  const built = await build(spec, {
    onLog: (text) => {
      if (text.includes('started')) restarted ??= test.model.killDaemon().then(() => test.model.startDaemon());
    },
  });
  await restarted;
  expect(built).toMatchObject({ kind: 'succeeded' });
  expect(built.log).toContain('finished');
});
