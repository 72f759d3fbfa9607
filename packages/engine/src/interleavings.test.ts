import type { Program } from '@loam/backend/memory';
import fc from 'fast-check';
import { expect, it } from 'vitest';

import type { BuildEvent } from './index.ts';
import { logOf, makeWorld, type Built, type World } from './test-world.ts';

/*
 * Several builds of few steps, so that they meet. A step's name is its command: what ends in `!` always fails, in `?` fails
 * the first time, in `#` waits for a cache that others want too; `copy` copies a file, `nest` copies from a nested build.
 */
const names = ['a', 'b', 'c#', 'd#', 'e?', 'f!', 'copy', 'nest'];

interface Scenario {
  readonly steps: readonly string[];
  /** Cancelled after so many turns of the scheduler; never when undefined. */
  readonly cancelAfter: number | undefined;
}

const scenario: fc.Arbitrary<Scenario> = fc.record({
  steps: fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 4 }),
  cancelAfter: fc.option(fc.nat({ max: 25 }), { nil: undefined }),
});

function specText(steps: readonly string[]): string {
  const ops = steps.map((name) => {
    if (name === 'copy') return '(copy (src f) (dst /f))';
    if (name === 'nest') return '(copy (from (build dev)) (src etc) (dst /x/))';
    return `(run ${name.endsWith('#') ? '(cache (shared (target /c) (buildkit_options ((sharing locked)))))' : ''} (shell ${JSON.stringify(name)}))`;
  });
  return `((build dev ((from base) (run (shell a)) (run (shell b)))) (from base) ${ops.join(' ')})`;
}

interface Watch {
  readonly program: Program;
  /** What each execution wrote, whole, by step label. */
  readonly texts: Map<string, string[]>;
  readonly problems: string[];
  world: World | undefined;
}

/** Runs steps that write in several pieces, and watches that no step runs twice. */
function watch(scheduler: fc.Scheduler): Watch {
  const running = new Set<string>();
  const self: Watch = {
    texts: new Map(),
    problems: [],
    world: undefined,
    program: async ({ request, output, signal }) => {
      const { label } = request;
      const command = request.argv.at(-1) ?? '';
      if (running.has(label)) self.problems.push(`${command} runs twice at the same time`);
      const prefix = label.replace('step ', '');
      const committed = [...(self.world?.store.commits.keys() ?? [])].some((name) => name.startsWith(prefix));
      if (committed) self.problems.push(`${command} runs again although it was committed`);
      running.add(label);
      const texts = self.texts.get(label) ?? [];
      self.texts.set(label, texts);
      const execution = texts.length;
      texts.push('');
      try {
        for (let piece = 0; piece < 4; piece += 1) {
          await scheduler.schedule(Promise.resolve(), `${command} piece ${piece}`);
          if (signal.aborted) throw new Error('ended');
          const text = `${command} execution ${execution} piece ${piece}\n`;
          texts[execution] += text;
          output(piece % 2 === 0 ? 'stdout' : 'stderr', text);
        }
      } finally {
        running.delete(label);
      }
      const fails = command.endsWith('!') || (command.endsWith('?') && execution === 0);
      return { kind: 'exited', code: fails ? 1 : 0 };
    },
  };
  return self;
}

/** Each step: one start, then the rest, one end. */
function checkOrder(events: readonly BuildEvent[]): void {
  const open = new Map<string, 'open' | 'ended'>();
  for (const event of events) {
    const state = open.get(event.position);
    expect([event.position, event.type, state]).toEqual([
      event.position,
      event.type,
      event.type === 'step-started' ? undefined : 'open',
    ]);
    open.set(event.position, event.type === 'step-ended' ? 'ended' : 'open');
  }
  expect(new Set(open.values())).toEqual(new Set(open.size === 0 ? [] : ['ended']));
}

/** What a step's followers heard is the whole log of one execution, or when they were cancelled the beginning of one. */
function checkLogs(built: Built, watched: Watch): void {
  for (const event of built.events) {
    if (event.type !== 'step-ended' || event.record?.kind !== 'run' || event.outcome === 'hit') continue;
    const heard = logOf(built.events, event.position);
    expect(event.logBytes).toBe(Buffer.byteLength(heard));
    const texts = watched.texts.get(`step ${event.stepId?.slice(0, 12)}`) ?? [];
    if (event.outcome === 'cancelled') expect(heard === '' || texts.some((text) => text.startsWith(heard))).toBe(true);
    else expect(texts).toContain(heard);
  }
}

it('however builds meet, fail and are cancelled: no step runs twice, every follower hears all, nothing stays behind', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(scenario, { minLength: 1, maxLength: 4 }),
      async (scheduler, scenarios) => {
        const watched = watch(scheduler);
        const world = makeWorld({
          program: watched.program,
          onCall: async ({ method }) => {
            await scheduler.schedule(Promise.resolve(), method);
            // The collector may come at any time, and takes what no lease protects.
            watched.world?.store.collectGarbage();
          },
        });
        watched.world = world;
        let unfinished = scenarios.length;
        const builds = scenarios.map(async ({ steps, cancelAfter }) => {
          const abort = new AbortController();
          const cancelling = (async (): Promise<void> => {
            for (let turn = 0; turn < (cancelAfter ?? 0); turn += 1)
              await scheduler.schedule(Promise.resolve(), 'turn');
            if (cancelAfter !== undefined) abort.abort();
          })();
          const built = await world.build(specText(steps), { signal: abort.signal, files: { f: 'text' } });
          unfinished -= 1;
          // Whoever leaves last waits until nothing runs: there is nobody after it to clean up.
          if (unfinished === 0) expect(world.leftovers()).toEqual([]);
          await cancelling;
          return built;
        });
        const results = await scheduler.waitFor(Promise.all(builds));
        await scheduler.waitFor(world.engine.idle());
        expect(watched.problems).toEqual([]);
        expect(world.leftovers()).toEqual([]);
        for (const count of world.store.commits.values()) expect(count).toBe(1);
        for (const [index, built] of results.entries()) {
          const { steps, cancelAfter } = scenarios[index] as Scenario;
          checkOrder(built.events);
          checkLogs(built, watched);
          const mayFail = steps.some((name) => /[!?]$/.test(name));
          if (cancelAfter === undefined && !mayFail) expect(built.outcome.kind).toBe('succeeded');
          if (built.outcome.kind === 'cancelled') expect(cancelAfter).toBeDefined();
          if (built.outcome.kind === 'failed') expect(built.outcome.error.code).toBe('engine.step-failed');
          if (built.outcome.kind === 'succeeded') expect(steps.includes('f!')).toBe(false);
        }
      },
    ),
    { numRuns: 300 },
  );
});
