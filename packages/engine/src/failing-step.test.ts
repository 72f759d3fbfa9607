import { runShell, type Program } from '@loam/backend/memory';
import { sleep, systemClock, TestClock } from '@loam/base';
import { describe, expect, it } from 'vitest';

import type { BuildEvent } from './index.ts';
import { gate, makeWorld, type BuildSettings } from './test-world.ts';

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
