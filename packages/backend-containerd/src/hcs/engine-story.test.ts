import { afterEach, beforeEach, expect, it } from 'vitest';

import type { ModelBackend } from '../testing/model-backend.ts';
import { nano, openModelEngine, type BuildOptions, type Built, type ModelEngine } from '../testing/model-engine.ts';

// The article's flow, through the engine: fetch, run, commit, next step, with the network and without, copies, two stages,
// secrets, a cache, a cancellation and a crash. On a model of Windows containerd, which proves nothing about Windows.
let test: ModelBackend;
let opened: ModelEngine;

beforeEach(async () => {
  opened = await openModelEngine();
  test = opened.test;
});
afterEach(async () => {
  expect(await opened.close()).toEqual([]);
});

function build(spec: string, options: BuildOptions = {}): Promise<Built> {
  return opened.build(spec, { secrets: { token: 's3cret' }, ...options });
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
  await opened.reopen();
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
