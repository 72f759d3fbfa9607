import { describe, expect, it } from 'vitest';

import { gate, makeWorld } from './test-world.ts';

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
