import { linuxImageTree } from '@loam/backend/memory';
import { TestClock } from '@loam/base';
import { describe, expect, it } from 'vitest';

import { makeWorld } from './test-world.ts';

describe('a build', () => {
  it('runs its steps on each other and commits each', async () => {
    const world = makeWorld();
    const spec = '((from base) (run (shell "echo one > /a; echo building")) (run (shell "cat /a; echo two >> /a")))';
    const built = await world.build(spec);
    expect(built.outcome).toMatchObject({ kind: 'succeeded', stepId: built.end('2')?.stepId });
    expect(built.ended).toEqual(['0 built', '1 built', '2 built']);
    expect([built.log('1'), built.log('2')]).toEqual(['building\n', 'one\n']);
    if (built.outcome.kind !== 'succeeded') throw new Error('unreachable');
    expect(await world.text(built.outcome.snapshot, 'a')).toBe('one\ntwo\n');
    expect(world.leftovers()).toEqual([]);
  });

  it('built again is all hits, runs nothing and writes nothing', async () => {
    const calls: string[] = [];
    const world = makeWorld({ onCall: (call) => void calls.push(call.method) });
    const spec = `((from base) ${'(run (shell "echo x >> /a")) '.repeat(20)})`;
    const first = await world.build(spec);
    calls.length = 0;
    const second = await world.build(spec);
    expect(second.outcome).toEqual(first.outcome);
    expect(new Set(second.ended.map((line) => line.split(' ')[1]))).toEqual(new Set(['hit']));
    expect(second.ended).toHaveLength(21);
    expect(world.sandbox.runs).toHaveLength(20);
    expect(new Set(calls)).toEqual(new Set(['stat']));
  });

  it('tells of each step: started, phases, log, ended, with what made its id', async () => {
    const world = makeWorld();
    const { events, end } = await world.build(
      '((from base) (workdir /w) (env A b) (run (shell "echo out; echo err >&2")))',
    );
    expect(
      events.filter((event) => event.position === '1').map((event) => ('phase' in event ? event.phase : event.type)),
    ).toEqual(['step-started', 'preparing', 'running', 'step-log', 'step-log', 'committing', 'step-ended']);
    expect(end('0')).toMatchObject({ outcome: 'built', image: { name: 'docker.io/library/base:latest' }, logBytes: 0 });
    expect(end('1')).toMatchObject({
      parentId: end('0')?.stepId,
      exit: { kind: 'exited', code: 0 },
      logBytes: 8,
      record: { kind: 'run', workdir: '/w', env: [['A', 'b']], shell: ['/bin/sh', '-c'], network: 'none' },
    });
    expect(events.filter((event) => event.type === 'step-log').map((event) => [event.stream, event.offset])).toEqual([
      ['stdout', 0],
      ['stderr', 4],
    ]);
  });

  it('tells what the time of a step went into, the commit apart, and how long a phase has lasted', async () => {
    const clock = new TestClock();
    const world = makeWorld({
      clock,
      program: async () => {
        await clock.advance(300);
        return { kind: 'exited', code: 0 };
      },
      onCall: async ({ method }) => {
        if (method === 'commit') await clock.advance(700);
      },
    });
    const { end, events } = await world.build('((from base) (run (shell x)))');
    expect(end('1')?.phases).toEqual([
      { phase: 'preparing', durationMs: 0 },
      { phase: 'running', durationMs: 300 },
      { phase: 'committing', durationMs: 700 },
    ]);
    expect(end('1')?.durationMs).toBe(1000);
    expect(events.find((event) => event.type === 'step-progress' && event.phase === 'committing')).toMatchObject({
      elapsedMs: 0,
    });
  });

  it('starts from what the image says, and ops change it for the steps after them', async () => {
    const config = {
      env: [
        ['PATH', '/bin'],
        ['LANG', 'C'],
      ] as const,
      user: 'builder',
      workdir: '/home/builder',
      shell: ['/bin/sh', '-ec'],
    };
    const world = makeWorld({ config });
    const ops = [
      '(run (shell "pwd; id; printenv LANG"))',
      '(workdir sub) (env LANG de) (user (uid 5) (gid 6)) (shell /bin/busybox sh -c)',
      '(run (shell "pwd; id; printenv LANG"))',
      '(workdir /abs/./x/../y/)',
      '(run (shell pwd))',
    ];
    const { log, end } = await world.build(`((from base) ${ops.join(' ')})`);
    expect(log('1')).toBe('/home/builder\n1000:1000\nC\n');
    expect(log('2')).toBe('/home/builder/sub\n5:6\nde\n');
    expect(log('3')).toBe('/abs/y\n');
    expect(end('1')?.record).toMatchObject({ shell: ['/bin/sh', '-ec'] });
    expect(end('2')?.record).toMatchObject({
      shell: ['/bin/busybox', 'sh', '-c'],
      env: [
        ['PATH', '/bin'],
        ['LANG', 'de'],
      ],
    });
  });

  it('uses bash where the base image has it', async () => {
    const base = linuxImageTree();
    base.writeFile('usr/bin/bash', 'bash');
    const { end } = await makeWorld({ base }).build('((from base) (run (shell "echo x")))');
    expect(end('1')?.record).toMatchObject({ shell: ['/usr/bin/bash', '-c'] });
  });

  it('asks about a base image once, however many builds and steps need its shell', async () => {
    let trees = 0;
    const world = makeWorld({ onCall: ({ method }) => void (trees += method === 'tree' ? 1 : 0) });
    await world.build('((from base) (run (shell a)) (run (shell b)))');
    await world.build('((from base) (run (shell c)))');
    expect(trees).toBe(1);
  });
});

describe('run', () => {
  it('mounts caches that outlive steps, in one order for all steps, and secrets that do not', async () => {
    const world = makeWorld();
    const caches =
      '(cache (z (target cached/z)) (a (target /a) (buildkit_options ((sharing locked) (mode 0700) (uid 7)))))';
    const spec = (command: string): string =>
      `((from base) (workdir /w) (user (uid 1000) (gid 1001)) (run ${caches} (secrets (token (target /run/secrets/token))) (network host) (shell "${command}")))`;
    const secrets = new Map([['token', new TextEncoder().encode('s3cret')]]);
    await world.build(spec('echo kept > cached/z/f'), { secrets });
    const { log } = await world.build(
      spec('cat cached/z/f; cat /run/secrets/token; stat -c %u:%g:%a /a; stat -c %u:%g:%a cached/z'),
      { secrets },
    );
    expect(log('1')).toBe('kept\ns3cret7:1001:700\n1000:1001:755\n');
    expect(world.sandbox.runs[1]).toMatchObject({
      network: 'host',
      hostname: 'builder',
      label: expect.stringMatching(/^step [0-9a-f]{12}$/) as string,
    });
    expect(world.leftovers()).toEqual([]);
  });

  it('a cache made for a user with a name belongs to that user', async () => {
    const world = makeWorld({ config: { user: 'builder' } });
    const { log } = await world.build('((from base) (run (cache (c (target /c))) (shell "stat -c %u:%g /c")))');
    expect(log('1')).toBe('1000:1000\n');
  });

  it('a secret’s value changes nothing, a limit neither', async () => {
    const world = makeWorld();
    const spec = '((from base) (run (secrets (token (target /t))) (shell "cat /t")))';
    await world.build(spec, { secrets: new Map([['token', new Uint8Array([1])]]) });
    const again = await world.build(spec, { limits: { cpus: 1 }, secrets: new Map() });
    expect(again.ended).toEqual(['0 hit', '1 hit']);
  });
});
