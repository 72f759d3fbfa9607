import type { SnapshotName } from '@loam/backend';
import { linuxImageTree } from '@loam/backend/memory';
import { systemClock } from '@loam/base';
import { describe, expect, it } from 'vitest';

import type { Plan } from './index.ts';
import { createEngine, outline } from './index.ts';
import { filesContext, gate, makeWorld, platform, specOf } from './test-world.ts';

function states(plan: Plan): string[] {
  return plan.steps.map((step) => `${step.position} ${step.state}${step.needed ? '' : ' unneeded'}`);
}

const spec = `((build dev ((from base) (run (shell "echo dev > /out"))))
  (from base) (run (shell one)) (copy (src f) (dst /f)) (copy (from (build dev)) (src /out) (dst /out)) (run (shell "exit 0")))`;

describe('a plan', () => {
  it('knows every step, its place and its id before anything has run, once the base is here', async () => {
    const world = makeWorld();
    const context = filesContext({ f: 'x' });
    const cold = await world.engine.plan(specOf(spec), { context });
    expect(states(cold)).toEqual(['dev/0 miss', 'dev/1 miss', '0 miss', '1 miss', '2 miss', '3 miss', '4 miss']);
    expect(cold.steps[1]).toMatchObject({ reason: expect.stringContaining('base image') as string });
    expect(world.fetcher.downloads).toEqual([]);
    await world.build('((from base))');
    const plan = await world.engine.plan(specOf(spec), { context });
    expect(states(plan)).toEqual(['dev/0 hit', 'dev/1 miss', '0 hit', '1 miss', '2 miss', '3 miss', '4 miss']);
    expect(plan.steps.every((step) => step.stepId !== undefined && step.record !== undefined)).toBe(true);
    expect(plan.steps.map(({ position, stage, kind, op }) => ({ position, stage, kind, op }))).toEqual(
      outline(specOf(spec)),
    );
    expect(world.sandbox.runs).toEqual([]);
    expect(world.leftovers()).toEqual([]);
  });

  it('agrees with what a build then does', async () => {
    const world = makeWorld({ program: () => Promise.resolve({ kind: 'exited', code: 0 }) });
    const files = { f: 'x' };
    await world.build('((from base) (run (shell one)) (copy (src f) (dst /f)))', { files });
    const text = '((from base) (run (shell one)) (copy (src f) (dst /f)) (run (shell two)))';
    const plan = await world.engine.plan(specOf(text), { context: filesContext(files) });
    expect(states(plan)).toEqual(['0 hit', '1 hit', '2 hit', '3 miss']);
    expect(plan.steps[2]).toMatchObject({ sizeBytes: 1 });
    const built = await world.build(text, { files });
    expect(built.ended).toEqual(['0 hit', '1 hit', '2 hit', '3 built']);
    expect(plan.steps.map((step) => step.stepId)).toEqual(
      ['0', '1', '2', '3'].map((position) => built.end(position)?.stepId),
    );
    const done = await world.engine.plan(specOf(text), { context: filesContext(files) });
    expect(states(done)).toEqual(['0 hit', '1 hit', '2 hit', '3 hit']);
  });

  it('does not count nested builds that only hits need', async () => {
    const world = makeWorld({ program: () => Promise.resolve({ kind: 'exited', code: 0 }) });
    const text =
      '((build dev ((from base) (run (shell a)))) (build unused ((from base))) (from base) (copy (from (build dev)) (src etc) (dst /x)))';
    await world.build(text);
    expect(states(await world.engine.plan(specOf(text)))).toEqual([
      'dev/0 hit unneeded',
      'dev/1 hit unneeded',
      'unused/0 hit unneeded',
      '0 hit',
      '1 hit',
    ]);
  });

  it('says why it does not know: no files, missing files, no registry', async () => {
    const world = makeWorld();
    await world.build('((from base))');
    const text = '((from base) (run (shell a)) (copy (src f) (dst /f)) (run (shell b)))';
    const noFiles = await world.engine.plan(specOf(text));
    expect(states(noFiles)).toEqual(['0 hit', '1 miss', '2 unknown', '3 unknown']);
    expect(noFiles.steps[3]).toMatchObject({ reason: 'it stands on step 2' });
    const missing = await world.engine.plan(specOf(text), { context: filesContext({}) });
    expect(missing.steps[2]).toMatchObject({ state: 'unknown', reason: 'The project has no "f" to copy.' });
    const elsewhere = await world.engine.plan(specOf('((from nowhere/x) (run (shell a)))'));
    expect(states(elsewhere)).toEqual(['0 unknown', '1 unknown']);
    await expect(world.engine.plan(specOf('((from base) (run (network moon) (shell a)))'))).rejects.toMatchObject({
      code: 'engine.network-unknown',
    });
  });

  it('sees what is in flight', async () => {
    const [entered, end] = [gate(), gate()];
    const world = makeWorld({
      program: async () => {
        entered.open();
        await end.opened;
        return { kind: 'exited', code: 0 };
      },
    });
    const text = '((from base) (run (shell a)))';
    const build = world.build(text);
    await entered.opened;
    expect(states(await world.engine.plan(specOf(text)))).toEqual(['0 hit', '1 in-flight']);
    end.open();
    await build;
  });

  it('and a build see a moved tag only when told to refresh', async () => {
    const world = makeWorld();
    const text = '((from base))';
    const first = await world.build(text);
    const moved = linuxImageTree();
    moved.writeFile('moved', 'x');
    world.images.set('docker.io/library/base:latest', {
      tree: moved,
      platform: { os: 'linux', architecture: 'amd64' },
    });
    expect((await world.build(text)).outcome).toEqual(first.outcome);
    const refreshed = await world.build(text, { refresh: true });
    expect(refreshed.outcome.kind).toBe('succeeded');
    expect(refreshed.outcome).not.toEqual(first.outcome);
  });
});

describe('the outline', () => {
  it('numbers steps and names stages, also nested and hiding ones', () => {
    const text =
      '((build a ((build in ((from x) (run (shell 1)))) (from y))) (build a ((from z))) (from "w w") (env A b) (run (shell 2)))';
    expect(outline(specOf(text)).map((place) => `${place.position} ${place.op}`)).toEqual([
      'a/in/0 (from x)',
      'a/in/1 (run (shell 1))',
      'a/0 (from y)',
      'a~2/0 (from z)',
      '0 (from "w w")',
      '1 (run (shell 2))',
    ]);
  });
});

describe('the cache', () => {
  it('is listed with what made each step, and a subtree is removed after a dry run', async () => {
    const world = makeWorld({ program: () => Promise.resolve({ kind: 'exited', code: 0 }) });
    const built = await world.build('((from base) (run (shell a)) (run (shell b)))');
    const other = await world.build('((from base) (run (shell a)) (run (shell c)))');
    const [a, b, c] = [built.end('1')?.stepId, built.end('2')?.stepId, other.end('2')?.stepId];
    if (!a || !b || !c) throw new Error('no ids');
    const listed = await world.engine.listCache();
    expect(listed.map((step) => [step.kind, step.op])).toEqual([
      ['from', 'docker.io/library/base:latest'],
      ['run', '(run (shell a))'],
      ['run', '(run (shell b))'],
      ['run', '(run (shell c))'],
    ]);
    expect(listed.map((step) => step.stepId)).toEqual([built.end('0')?.stepId, a, b, c]);
    await expect(world.engine.removeStep(a)).rejects.toMatchObject({ code: 'backend.snapshot-in-use' });
    const dry = await world.engine.removeStep(a, { recursive: true, dryRun: true });
    expect(new Set(dry.map((step) => step.stepId))).toEqual(new Set([a, b, c]));
    expect(dry.at(-1)?.stepId).toBe(a);
    expect(await world.engine.listCache()).toHaveLength(4);
    expect(await world.engine.removeStep(a, { recursive: true })).toEqual(dry);
    expect(await world.engine.listCache()).toHaveLength(1);
    await expect(world.engine.removeStep(a)).rejects.toMatchObject({ code: 'engine.step-unknown' });
    expect((await world.build('((from base) (run (shell a)) (run (shell b)))')).ended).toEqual([
      '0 hit',
      '1 built',
      '2 built',
    ]);
  });

  it('is listed, too, while what is in it goes', async () => {
    let going: (() => Promise<void>) | undefined;
    const world = makeWorld({
      onCall: async ({ method }) => {
        if (method === 'usage') await going?.();
      },
    });
    const built = await world.build('((from base) (run (shell "echo a > /a")))');
    const a = built.end('1')?.stepId;
    if (!a) throw new Error('no id');
    going = async () => {
      going = undefined;
      await world.store.remove(a as string as SnapshotName);
    };
    expect(await world.engine.listCache()).toContainEqual(expect.objectContaining({ stepId: a, sizeBytes: 0 }));
    expect((await world.engine.listCache()).map((step) => step.kind)).toEqual(['from']);
  });

  it('knows base images by the ids of their from steps, with their size, also in the next life of the agent', async () => {
    const world = makeWorld({ program: () => Promise.resolve({ kind: 'exited', code: 0 }) });
    const built = await world.build('((from base) (run (shell a)))');
    const [from, a] = [built.end('0'), built.end('1')?.stepId];
    if (!from?.stepId || !from.snapshot || !a) throw new Error('no ids');
    const { sizeBytes } = await world.store.usage(from.snapshot);
    expect(from).toMatchObject({ outcome: 'built', sizeBytes });
    expect(sizeBytes).toBeGreaterThan(0);
    const { store, sandbox, fetcher, logs } = world;
    const next = createEngine({ store, sandbox, fetcher, platform, clock: systemClock, logs });
    const steps = await next.listSteps();
    expect(new Map(steps.map((step) => [step.stepId, step.sizeBytes]))).toEqual(
      new Map([
        [a, (await world.store.usage(a as string as SnapshotName)).sizeBytes],
        [from.stepId, sizeBytes],
      ]),
    );
    expect((await world.build('((from base) (run (shell a)))')).end('0')).toMatchObject({ outcome: 'hit', sizeBytes });
    // What stands on it keeps it; after that it goes like any other step.
    await expect(next.removeStep(from.stepId)).rejects.toMatchObject({ code: 'backend.snapshot-in-use' });
    await next.removeStep(a);
    expect((await next.removeStep(from.stepId)).map((step) => step.stepId)).toEqual([from.stepId]);
    expect(await next.listSteps()).toEqual([]);
    expect((await world.build('((from base) (run (shell a)))')).ended).toEqual(['0 built', '1 built']);
  });

  it('refuses to remove what a running build stands on', async () => {
    const [entered, end] = [gate(), gate()];
    const world = makeWorld({
      program: async ({ request }) => {
        if (request.argv.at(-1) === 'b') {
          entered.open();
          await end.opened;
        }
        return { kind: 'exited', code: 0 };
      },
    });
    const first = await world.build('((from base) (run (shell a)))');
    const build = world.build('((from base) (run (shell a)) (run (shell b)))');
    await entered.opened;
    const id = first.end('1')?.stepId;
    if (!id) throw new Error('no id');
    await expect(world.engine.removeStep(id, { recursive: true })).rejects.toMatchObject({
      code: 'backend.snapshot-in-use',
    });
    end.open();
    await build;
    expect(await world.engine.removeStep(id, { recursive: true })).toHaveLength(2);
  });
});
