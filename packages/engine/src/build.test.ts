import { linuxImageTree, runShell, type Program } from '@loam/backend/memory';
import { sleep, systemClock, TestClock } from '@loam/base';
import { describe, expect, it } from 'vitest';

import type { BuildEvent } from './index.ts';
import { gate, makeWorld, type BuildSettings } from './test-world.ts';

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

describe('a failing step', () => {
  it('ends the build with its exit code, keeps its log, and is not remembered', async () => {
    const world = makeWorld();
    const spec = '((from base) (run (shell "echo fine")) (run (shell "echo why; exit 3")) (run (shell "echo never")))';
    const built = await world.build(spec);
    expect(built.outcome).toMatchObject({ kind: 'failed', position: '2', error: { code: 'engine.step-failed' } });
    expect(built.ended).toEqual(['0 built', '1 built', '2 failed']);
    expect(built.end('2')).toMatchObject({
      exit: { kind: 'exited', code: 3 },
      logBytes: 4,
      error: { code: 'engine.step-failed', message: 'Step 2 failed with exit code 3.' },
    });
    const kept: string[] = [];
    const id = built.end('2')?.stepId;
    if (!id) throw new Error('no id');
    for await (const chunk of world.logs.read(id)) kept.push(Buffer.from(chunk.bytes).toString());
    expect(kept.join('')).toBe('why\n');
    expect(world.leftovers()).toEqual([]);
    const again = await world.build(spec);
    expect(again.ended).toEqual(['0 hit', '1 hit', '2 failed']);
    expect(again.log('2')).toBe('why\n');
  });

  it('tells lack of memory, time and a signal apart', async () => {
    const exits = new Map<string, Program>([
      ['memory', () => Promise.resolve({ kind: 'out-of-memory' })],
      ['signal', () => Promise.resolve({ kind: 'signalled', signal: 11 })],
    ]);
    const clock = new TestClock();
    const world = makeWorld({
      clock,
      program: (environment) => (exits.get(environment.request.argv.at(-1) ?? '') ?? runShell)(environment),
    });
    const failure = async (command: string, settings = {}): Promise<unknown> => {
      const { outcome } = await world.build(`((from base) (run (shell "${command}")))`, settings);
      return outcome.kind === 'failed' ? outcome.error.message : outcome;
    };
    expect(await failure('memory', { limits: { memoryBytes: 64 * 2 ** 20 } })).toBe(
      'Step 1 ran out of memory; its limit is 64 MiB.',
    );
    expect(await failure('signal')).toBe('Step 1 was killed by signal 11.');
    const afterRunning = async (command: string, settings: BuildSettings, ms: number): Promise<unknown> => {
      const running = gate();
      const message = failure(command, {
        ...settings,
        onEvent: (event: BuildEvent) => {
          if (event.type === 'step-progress' && event.phase === 'running') running.open();
        },
      });
      await running.opened;
      await sleep(systemClock, 1);
      await clock.advance(ms);
      return message;
    };
    expect(await afterRunning('sleep 100', { stepTimeoutMs: 5000 }, 5000)).toBe('Step 1 did not end within 5 s.');
    expect(await afterRunning('sleep 101', { timeoutMs: 7000 }, 7000)).toBe(
      'The build did not end within 7 s; it was at step 1.',
    );
    expect(await afterRunning('sleep 102', { timeoutMs: 7000, spentMs: 5000 }, 2000)).toBe(
      'The build did not end within 7 s; it was at step 1.',
    );
    expect(world.leftovers()).toEqual([]);
  });

  it('in the back end leaves nothing, whichever call it is that fails', async () => {
    for (const failing of ['prepare', 'commit', 'usage', 'applyLayer', 'acquireCache', 'tree'] as const) {
      let armed = false;
      const world = makeWorld({
        onCall: ({ method }) => {
          if (armed && method === failing) throw new Error(`${failing} is broken`);
        },
      });
      await world.build('((from base) (run (shell true)))');
      armed = true;
      const spec = '((from base) (copy (src f) (dst /f)) (run (cache (c (target /c))) (shell "echo x")))';
      const { outcome } = await world.build(spec, { files: { f: 'x' } });
      expect([failing, outcome]).toMatchObject([failing, { kind: 'failed', error: { code: 'general.internal' } }]);
      expect([failing, ...world.leftovers()]).toEqual([failing]);
    }
  });

  it('is found before anything runs when its inputs cannot be had', async () => {
    const world = makeWorld();
    const first = '(run (shell "echo expensive"))';
    const failures: [string, string][] = [
      [`((from base) ${first} (run (secrets (token (target /t))) (shell x)))`, 'engine.secret-missing'],
      [`((from base) ${first} (run (network moon) (shell x)))`, 'engine.network-unknown'],
      [`((from base) ${first} (copy (src a b) (dst /x)))`, 'engine.copy-sources'],
      [`((from base) ${first} (copy (src none) (dst /x)))`, 'context.source-missing'],
      [`((from base) ${first} (copy (src ../x) (dst /x)))`, 'engine.copy-source-invalid'],
      [
        `((from base) ${first} (run (cache (c (target /c) (buildkit_options ((sharing odd))))) (shell x)))`,
        'engine.cache-option',
      ],
      [`((from base) ${first} (env A=B x) (run (shell x)))`, 'engine.value-invalid'],
      [`((from base) ${first} (env "" x) (run (shell x)))`, 'engine.value-invalid'],
      [`((from base) ${first} (run (shell "a\\000b")))`, 'engine.value-invalid'],
      [`((from base) ${first} (user (uid 99999999999) (gid 0)) (run (shell x)))`, 'backend.unknown-user'],
    ];
    for (const [spec, code] of failures) {
      const { outcome, end } = await world.build(spec);
      expect([spec, outcome]).toMatchObject([spec, { kind: 'failed', position: '2', error: { code } }]);
      expect(end('2')).toMatchObject({ outcome: 'failed', error: { code } });
    }
    expect(world.sandbox.runs).toEqual([]);
  });

  it('in `from` is blamed on `from`', async () => {
    const { outcome, ended } = await makeWorld().build('((from nowhere) (run (shell x)))');
    expect(outcome).toMatchObject({ kind: 'failed', position: '0', error: { code: 'backend.image-not-found' } });
    expect(ended).toEqual(['0 failed']);
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

describe('nested builds', () => {
  const copyFrom = (name: string, source: string): string =>
    `(copy (from (build ${name})) (src ${source}) (dst /${name}))`;

  it('give their files to the builds around and after them', async () => {
    const world = makeWorld();
    const spec = `((build dev ((from base) (run (shell "echo made > /out")))) (build second ((from base) ${copyFrom('dev', '/out')})) (from base) ${copyFrom('second', '/dev')} (run (shell "cat /second")))`;
    const built = await world.build(spec);
    expect(built.log('2')).toBe('made\n');
    // Steps of equal inputs are one step: the base of all three stages is the same.
    expect(built.ended.filter((line) => !line.includes('/0') && !line.startsWith('0'))).toEqual([
      'dev/1 built',
      'second/1 built',
      '1 built',
      '2 built',
    ]);
    const again = await world.build(spec);
    // What only hits copied from is told too, after the rest: the build was found whole.
    expect(again.ended).toEqual(['0 hit', '1 hit', '2 hit', 'dev/0 hit', 'dev/1 hit', 'second/0 hit', 'second/1 hit']);
  });

  it('are passed over, and not run again, when what hits copied from them is all that is left', async () => {
    const world = makeWorld();
    const spec = `((build dev ((from base) (run (shell "echo made > /out")))) (from base) ${copyFrom('dev', '/out')})`;
    await world.build(spec);
    const [dev] = (await world.engine.listCache()).filter((step) => step.op.includes('echo made'));
    await world.engine.removeStep(dev!.stepId!);
    expect((await world.build(spec)).ended).toEqual(['0 hit', '1 hit']);
  });

  it('start fresh, and are not run when nothing needs them', async () => {
    const world = makeWorld();
    const spec =
      '((build unused ((from base) (run (shell "exit 1")))) (build dev ((from base) (run (shell "pwd; printenv A || echo fresh")))) (from base) (workdir /w) (env A b) (copy (from (build dev)) (src etc) (dst x)))';
    const built = await world.build(spec);
    expect(built.log('dev/1')).toBe('/\nfresh\n');
    expect(built.events.filter((event) => event.position.startsWith('unused'))).toEqual([]);
  });

  it('that do not need each other run at the same time', async () => {
    const [one, two] = [gate(), gate()];
    const world = makeWorld({
      program: async (environment) => {
        const name = environment.request.argv.at(-1);
        // Each waits for the other: this only ends when both run at once.
        if (name === 'one') one.open();
        if (name === 'two') two.open();
        await Promise.all([one.opened, two.opened]);
        return { kind: 'exited', code: 0 };
      },
    });
    const nested = (name: string): string => `(build ${name} ((from base) (run (shell ${name}))))`;
    const { outcome } = await world.build(
      `(${nested('one')} ${nested('two')} (from base) (copy (from (build one)) (src etc) (dst /1)) (copy (from (build two)) (src etc) (dst /2)))`,
    );
    expect(outcome.kind).toBe('succeeded');
  });

  it('when one fails, the build ends with its failure and the others are stopped', async () => {
    const slowRuns = gate();
    const world = makeWorld({
      program: async ({ request, signal }) => {
        if (request.argv.at(-1) === 'slow') {
          slowRuns.open();
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended'))));
        }
        await slowRuns.opened;
        return { kind: 'exited', code: 9 };
      },
    });
    const nested = '(build slow ((from base) (run (shell slow)))) (build bad ((from base) (run (shell bad))))';
    const built = await world.build(`(${nested} (from base) ${copyFrom('slow', 'etc')} ${copyFrom('bad', 'etc')})`);
    expect(built.outcome).toMatchObject({ kind: 'failed', position: 'bad/1' });
    expect(built.ended).toContain('slow/1 cancelled');
    expect(world.leftovers()).toEqual([]);
  });

  it('equal steps of two stages run once', async () => {
    const bothHear = gate();
    const hearing = new Set<string>();
    const world = makeWorld({
      program: async ({ request, output }) => {
        output('stdout', `${request.argv.at(-1)}\n`);
        if (request.argv.at(-1) === 'same') await bothHear.opened;
        return { kind: 'exited', code: 0 };
      },
    });
    const nested = (name: string): string => `(build ${name} ((from base) (run (shell same)) (run (shell ${name}))))`;
    const built = await world.build(
      `(${nested('one')} ${nested('two')} (from base) ${copyFrom('one', 'etc')} ${copyFrom('two', 'etc')})`,
      {
        onEvent(event) {
          if (event.type === 'step-log' && hearing.add(event.position).size === 2) bothHear.open();
        },
      },
    );
    expect(built.outcome.kind).toBe('succeeded');
    expect(new Set([built.end('one/1')?.outcome, built.end('two/1')?.outcome])).toEqual(new Set(['built', 'shared']));
    expect([built.log('one/1'), built.log('two/1')]).toEqual(['same\n', 'same\n']);
    expect(world.sandbox.runs).toHaveLength(3);
  });
});
