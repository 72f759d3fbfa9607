import diagnostics from 'node:diagnostics_channel';

import { recordedRuns, type RecordedRun } from '@loam/containerd-model';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { nano, openModelEngine, type ModelEngine } from '../testing/model-engine.ts';

// What OBuilder's sandbox on Windows does wrong (reference §11.2, vectors (10)), each with a test that would see it here.
let opened: ModelEngine;

beforeEach(async () => {
  opened = await openModelEngine();
});
afterEach(async () => {
  expect(await opened.close()).toEqual([]);
});

const administrator = '(user (name ContainerAdministrator))';
const quote = (script: string): string => JSON.stringify(script);
const run = (script: string, fields: string = ''): string =>
  `((from ${nano}) ${administrator} (run ${fields} (shell ${quote(script)})))`;

/** Every container so far, as the daemon was asked for it. */
function runs(): RecordedRun[] {
  return recordedRuns(opened.test.model.recording);
}

describe('§11.2 #1, vectors (10) secrets: a secret', () => {
  const spec = run(
    'type C:\\s\\token.txt & echo x> C:\\s\\token.txt',
    '(secrets (token (target "C:\\\\s\\\\token.txt")))',
  );

  it('is a file in the step, read-only, and nowhere afterwards, in the specification neither', async () => {
    const built = await opened.build(spec, { secrets: { token: 's3cret' } });
    expect(built.log).toContain('s3cret');
    expect(built.log).toContain('Access is denied');
    expect(JSON.stringify(runs())).not.toContain('s3cret');
    expect(opened.test.model.textIn('loam', built.snapshot, 's/token.txt') ?? '').toBe('');
    expect(await opened.test.backend.leftovers()).toEqual([]);
  });
});

describe('§11.2 #3, vectors (10) caches: a cache', () => {
  const write = (name: string, sharing = 'shared'): string =>
    run(
      `echo ${name}> C:\\cache\\${name}.txt & ping -n 2 127.0.0.1`,
      `(cache (objects (target "C:\\\\cache") (buildkit_options ((sharing ${sharing})))))`,
    );
  const starts = (): number => opened.test.model.faults.calls.filter((call) => call === 'Tasks.Start').length;
  const read = run('type C:\\cache\\one.txt & type C:\\cache\\two.txt', '(cache (objects (target "C:\\\\cache")))');

  it('that two steps use at the same time keeps what both wrote, and is mounted, not copied', async () => {
    await opened.build(`((from ${nano}))`);
    // Neither runs before the other does.
    const together = (): Promise<void> => expect.poll(starts).toBe(2);
    opened.test.model.faults.plant({ method: 'Tasks.Start', times: 2, before: together });
    const both = await Promise.all([opened.build(write('one')), opened.build(write('two'))]);
    expect(both.map(({ kind }) => kind)).toEqual(['succeeded', 'succeeded']);
    const { calls } = opened.test.model.faults;
    expect(calls.lastIndexOf('Tasks.Start')).toBeLessThan(calls.indexOf('Tasks.Delete'));
    expect((await opened.build(read)).log).toBe('one\r\ntwo\r\n');
    const sources = runs().flatMap(({ spec: { mounts = [] } }) => mounts.map(({ source }) => source));
    expect(sources).toHaveLength(3);
    expect(new Set(sources).size).toBe(1);
  });

  it('that a step has for itself is given to the next one when that has ended, with everything in it', async () => {
    await opened.build(`((from ${nano}))`);
    const first = opened.build(write('one', 'locked'));
    await expect.poll(starts).toBe(1);
    const second = opened.build(write('two', 'locked'));
    await Promise.all([first, second]);
    const { calls } = opened.test.model.faults;
    expect(calls.lastIndexOf('Tasks.Start')).toBeGreaterThan(calls.indexOf('Tasks.Delete'));
    expect((await opened.build(read)).log).toBe('one\r\ntwo\r\n');
  });
});

describe('§11.2 #5, #24, vectors (10) processes: a build', () => {
  it('starts no process on the host, and everything it does goes over its one connection', async () => {
    const started: unknown[] = [];
    const onProcess = (message: unknown): void => void started.push(message);
    diagnostics.subscribe('child_process', onProcess);
    const path = process.env['PATH'];
    process.env['PATH'] = '';
    try {
      const built = await opened.build(
        `((build tools ((from ${nano}) (run (shell ver)))) (from ${nano}) ${administrator}
          (copy (src a) (dst "C:\\\\a")) (run (network host) (cache (c (target "C:\\\\c"))) (shell "type C:\\\\a")))`,
        { files: { a: 'copied' } },
      );
      expect(built).toMatchObject({ kind: 'succeeded', log: 'copied' });
    } finally {
      diagnostics.unsubscribe('child_process', onProcess);
      process.env['PATH'] = path;
    }
    expect(started).toEqual([]);
    const services = new Set(opened.test.model.faults.calls.map((call) => call.split('.')[0]));
    expect([...services]).toEqual(
      expect.arrayContaining(['Content', 'Images', 'Snapshots', 'Diff', 'Containers', 'Tasks']),
    );
    await opened.test.backend.settled();
    const failed = opened.test.model.recording.calls.filter(
      ({ method, error }) => /\.(?:Remove|Delete)$/.test(method) && error !== undefined,
    );
    expect(failed).toEqual([]);
    // The image is unpacked once, and its configuration asked of nobody but the content store.
    expect(opened.test.model.faults.calls.filter((call) => call === 'Diff.Apply')).toHaveLength(2);
  });
});

describe('§11.2 #17: user and shell', () => {
  it('vectors (10) unix user: a Unix user is refused before anything runs', async () => {
    const built = await opened.build(`((from ${nano}) (user (uid 1000) (gid 1000)) (run (shell ver)))`);
    expect(built).toMatchObject({ kind: 'failed', error: { code: 'backend.unix-user' } });
    expect(runs()).toEqual([]);
  });

  it('are those of the spec, and cmd /S /C where it names none', async () => {
    await opened.build(`((from ${nano}) (user (name builder)) (shell cmd /V:ON /C) (run (shell "ver & ver")))`);
    await opened.build(`((from ${nano}) (run (shell "ver & ver")))`);
    expect(runs().map(({ spec: { process } }) => [process?.commandLine, process?.user?.username])).toEqual([
      ['cmd /V:ON /C "ver & ver"', 'builder'],
      ['cmd /S /C "ver & ver"', 'ContainerUser'],
    ]);
  });
});

describe('§11.2 #18, #19, #25: what the runtime is given', () => {
  it('mounts without a type, the snapshotter’s own rootfs, no layerFolders, and a reference to the snapshot', async () => {
    await opened.build(run('ver', '(cache (c (target "C:\\\\c")))'));
    const [{ spec, snapshotter, snapshotKey, rootfs }] = runs() as [RecordedRun];
    expect(spec.mounts?.map(({ type }) => type)).toEqual(['']);
    expect(spec.windows).not.toHaveProperty('layerFolders');
    expect(snapshotter).toBe('windows');
    expect(snapshotKey).toMatch(/^loam-run-/);
    const prepared = opened.test.model.recording.calls.find(
      ({ method, request }) => method === 'Snapshots.Prepare' && (request as { key: string }).key === snapshotKey,
    );
    expect(prepared?.answer).toMatchObject({
      mounts: rootfs.map(({ type, source, options }) => ({ type, source, options })),
    });
  });
});

describe('§11.2 #20: limits of a build', () => {
  it('reach the step: processors, memory, and the size of its disk', async () => {
    const limits = { cpus: 2, memoryBytes: 1 << 30, scratchBytes: 40 * 2 ** 30 };
    expect((await opened.build(run('ver'), { limits })).kind).toBe('succeeded');
    expect(runs()[0]?.spec.windows?.resources).toEqual({ cpu: { count: 2 }, memory: { limit: 1 << 30 } });
    const prepared = opened.test.model.recording.calls.map(
      ({ request }) => (request as { labels?: Record<string, string> } | undefined)?.labels ?? {},
    );
    const sizes = prepared.map((labels) => labels['containerd.io/snapshot/windows/rootfs.sizebytes']);
    expect(sizes.filter((size) => size !== undefined)).toEqual([String(40 * 2 ** 30)]);
  });

  it('and its time: what runs longer is ended', async () => {
    const built = await opened.build(run('ping -n 100 127.0.0.1'), { stepTimeoutMs: 200 });
    expect(built.error).toMatchObject({ code: 'engine.timed-out' });
    const end = built.events.find((event) => event.type === 'step-ended' && event.position === '1');
    expect(end).toMatchObject({ outcome: 'failed', exit: { kind: 'timed-out' } });
    await opened.test.backend.settled();
    expect(await opened.test.client.tasks.list()).toEqual([]);
  });

  it('and its time, also when that is over before it has begun', async () => {
    opened.test.model.faults.plant({ method: 'Tasks.Start', times: 1, before: () => killed.promise });
    const killed = Promise.withResolvers<void>();
    opened.test.model.faults.plant({ method: 'Tasks.Kill', times: 1, after: killed.resolve });
    const built = await opened.build(run('ver'), { stepTimeoutMs: 1 });
    expect(built.error).toMatchObject({ code: 'engine.timed-out' });
    await opened.test.backend.settled();
    expect(await opened.test.client.tasks.list()).toEqual([]);
  });
});

describe('§11.2 #21, vectors (10) networks: a step', () => {
  it.each([
    ['no', '', false],
    ['the host’s', '(network host)', true],
    ['a NAT', '(network nat)', true],
  ])('that asks for %s network gets that', async (_, fields, has) => {
    const built = await opened.build(run('ipconfig', fields));
    expect(built.log.includes('Ethernet adapter')).toBe(has);
    expect(runs()[0]?.spec.windows?.network).toEqual(
      has ? expect.objectContaining({ networkNamespace: expect.stringMatching(/^[0-9a-f-]{36}$/) }) : undefined,
    );
    expect(await opened.test.backend.leftovers()).toEqual([]);
  });

  it('that asks for a network nobody knows is refused', async () => {
    expect(await opened.build(run('ipconfig', '(network dmz)'))).toMatchObject({
      error: { code: 'engine.network-unknown' },
    });
  });

  it('that fails to start leaves no network', async () => {
    opened.test.model.faults.plant({ method: 'Tasks.Create', error: { code: 2, text: 'hcs::CreateComputeSystem: x' } });
    expect(await opened.build(run('ipconfig', '(network host)'))).toMatchObject({ kind: 'failed' });
    expect(await opened.test.backend.leftovers()).toEqual([]);
  });
});

describe('§11.2 #22: output and exit code', () => {
  it('streams stay apart, and the code is the task’s own, large ones in hex with their meaning', async () => {
    const built = await opened.build(run('echo out& echo err 1>&2 & exit 3221225477'));
    const streams = built.events.flatMap((event) =>
      event.type === 'step-log' ? [`${event.stream} ${Buffer.from(event.bytes).toString().trim()}`] : [],
    );
    // Of two pipes it cannot be said which is read first.
    expect(streams.toSorted()).toEqual(['stderr err', 'stdout out']);
    expect(built.error).toMatchObject({ message: expect.stringContaining('0xC0000005') });
    const end = built.events.find((event) => event.type === 'step-ended' && event.position === '1');
    expect(end).toMatchObject({ exit: { kind: 'exited', code: 0xc0000005 } });
  });
});

describe('§11.2 #23, vectors (10) kill: a cancelled step', () => {
  it('is killed again when the daemon did not hear the first time, and has ended when the build has', async () => {
    const abort = new AbortController();
    opened.test.model.faults.plant({ method: 'Tasks.Kill', times: 2, error: { code: 14, text: 'connection lost' } });
    const built = await opened.build(run('echo started & ping -n 100 127.0.0.1'), {
      signal: abort.signal,
      onLog: (text) => void (text.includes('started') && abort.abort()),
    });
    expect(built.kind).toBe('cancelled');
    await opened.test.backend.settled();
    expect(await opened.test.client.tasks.list()).toEqual([]);
    expect(opened.test.model.faults.calls.filter((call) => call === 'Tasks.Kill').length).toBeGreaterThan(2);
  });
});

describe('§11.2 #27: the environment of a step', () => {
  it('is in no word of ours and none of the shim’s, also when the step cannot start', async () => {
    const written: string[] = [];
    const spies = [process.stdout, process.stderr].map((stream) =>
      vi.spyOn(stream, 'write').mockImplementation((text) => {
        written.push(String(text));
        return true;
      }),
    );
    opened.test.model.faults.plant({ method: 'Tasks.Create', error: { code: 2, text: 'hcs::CreateComputeSystem: x' } });
    const spec = run('ver').replace('(run', '(env PASSWORD hunter2) (run');
    const built = await opened.build(spec).finally(() => {
      for (const spy of spies) spy.mockRestore();
    });
    expect(runs()[0]?.spec.process?.env).toContain('PASSWORD=hunter2');
    expect(JSON.stringify(written)).not.toContain('hunter2');
    expect(built.kind).toBe('failed');
    const { error } = built as { error: Error & { internal?: string; cause?: unknown } };
    for (let at: Error | undefined = error; at !== undefined; at = at.cause as Error | undefined) {
      expect(`${at.stack} ${JSON.stringify(at)}`).not.toContain('hunter2');
    }
    expect(runs()[0]?.options.scrubLogs).toBe(true);
  });
});

describe('vectors (10) Path: the environment', () => {
  it('has the image’s `Path` and the spec’s `PATH` as one variable, and the spec’s wins', async () => {
    await opened.build(run('ver').replace('(run', '(env PATH "C:\\\\tools") (run'));
    expect(runs()[0]?.spec.process?.env?.filter((entry) => /^path=/i.test(entry))).toEqual(['PATH=C:\\tools']);
  });
});
