import { systemClock, type Clock } from '@loam/base';
import { GrpcStatusError } from '@loam/containerd/testing';
import { afterEach, expect, it } from 'vitest';

import { nano, openModelEngine, type ModelEngine } from '../testing/model-engine.ts';

// On the model: containerd goes away (gRPC's UNAVAILABLE) in one call, before it has done anything or before it has answered, and is
// there again. What was under way must go on, and nothing may stay that only the next start of the agent would remove.
let opened: ModelEngine;
afterEach(async () => {
  expect(await opened.close()).toEqual([]);
});

/** A clock on which waiting takes no time. `hours` is how long it has been waited for in all. */
function hastyClock(): Clock & { readonly hours: () => number } {
  let passedMs = 0;
  return {
    now: systemClock.now,
    monotonic: () => passedMs,
    after: (ms, callback) =>
      systemClock.after(0, () => {
        passedMs += ms;
        callback();
      }),
    hours: () => passedMs / 3_600_000,
  };
}

const unavailable = { code: 14, text: 'the connection was lost' };
const spec = `((build tools ((from ${nano}) (user (name ContainerAdministrator)) (run (shell "echo made> C:/made.txt"))))
 (from ${nano}) (user (name ContainerAdministrator))
 (copy (from (build tools)) (src /made.txt) (dst C:/tools/)) (run (shell "echo done")))`;
const methods = [
  'Leases.Create',
  'Leases.Delete',
  'Snapshots.Stat',
  'Snapshots.Prepare',
  'Snapshots.View',
  'Snapshots.Commit',
  'Snapshots.Remove',
  'Snapshots.Usage',
  'Containers.Create',
  'Containers.Delete',
  'Tasks.Create',
  'Tasks.Start',
];
// The recording judges by what was answered: the other halves of these look there like a breach of rule 9.
const halves = [
  { method: 'Tasks.Wait', when: 'after' },
  { method: 'Tasks.Delete', when: 'before' },
] as const;
const wholes = methods.flatMap(
  (method) =>
    [
      { method, when: 'before' },
      { method, when: 'after' },
    ] as const,
);

it.each([...wholes, ...halves])(
  'a build goes on when containerd goes away in $method, $when it is done',
  async ({ method, when }) => {
    opened = await openModelEngine();
    await opened.build(`((from ${nano}))`);
    const { faults } = opened.test.model;
    const before = faults.calls.filter((call) => call === method).length;
    const lost = (): never => {
      throw new GrpcStatusError(unavailable.code, unavailable.text);
    };
    faults.plant(when === 'before' ? { method, times: 1, error: unavailable } : { method, times: 1, after: lost });
    const built = await opened.build(spec);
    expect(built).toMatchObject({ kind: 'succeeded' });
    expect(faults.calls.filter((call) => call === method).length).toBeGreaterThan(before + 1);
    await opened.test.backend.settled();
    expect(await opened.test.leftovers()).toEqual([]);
  },
);

it('an image is given up when containerd stays away', async () => {
  const clock = hastyClock();
  opened = await openModelEngine({ backend: { clock } });
  const { fetcher, store } = opened.test.backend;
  const lease = await store.lease('test');
  const image = await fetcher.resolve(nano, { os: 'windows', architecture: 'amd64' });
  const lift = opened.test.model.faults.plant({ method: '*', error: unavailable });
  const lost = setInterval(() => clock.hours() > 2 && lift(), 100);
  await expect(fetcher.fetch(image, { lease })).rejects.toMatchObject({ code: 'containerd.unavailable' });
  clearInterval(lost);
  lift();
  await fetcher.fetch(image, { lease });
  await lease.release();
});

it('a start to which containerd answers each time that it is away is given up', async () => {
  opened = await openModelEngine();
  const { faults } = opened.test.model;
  const lift = faults.plant({ method: 'Tasks.Start', times: 200, error: unavailable });
  expect(await opened.build(spec)).toMatchObject({ kind: 'failed', error: { code: 'containerd.unavailable' } });
  lift();
  expect(faults.calls.filter((call) => call === 'Tasks.Start')).toHaveLength(5);
  expect(await opened.build(spec)).toMatchObject({ kind: 'succeeded' });
});

it('a task that a dying shim would not delete is deleted a moment later, and leaves no container', async () => {
  opened = await openModelEngine();
  const error = { code: 2, text: 'failed to delete task: ttrpc: closed' };
  opened.test.model.faults.plant({ method: 'Tasks.Delete', times: 1, error });
  expect(await opened.build(spec)).toMatchObject({ kind: 'succeeded' });
  await opened.test.backend.settled();
  expect(await opened.test.leftovers()).toEqual([]);
});

it('a commit in whose middle containerd ended, and lost the snapshot, counts as containerd that was away', async () => {
  opened = await openModelEngine();
  const { faults } = opened.test.model;
  await opened.build(`((from ${nano}))`);
  faults.plant({ method: 'Snapshots.Commit', times: 1, error: unavailable });
  faults.plant({ method: 'Snapshots.Commit', times: 1, error: { code: 5, text: 'snapshot does not exist' } });
  const failed = await opened.build(spec);
  expect(failed).toMatchObject({ kind: 'failed', error: { code: 'containerd.unavailable' } });
  expect(await opened.build(spec)).toMatchObject({ kind: 'succeeded' });
});

it('a step that fails after containerd went away while it was started may never have begun: that is no failure of the step', async () => {
  opened = await openModelEngine();
  const failing = `((from ${nano}) (user (name ContainerAdministrator)) (run (shell "exit 3")))`;
  expect(await opened.build(failing)).toMatchObject({ kind: 'failed', error: { code: 'engine.step-failed' } });
  opened.test.model.faults.plant({ method: 'Tasks.Start', times: 1, error: unavailable });
  expect(await opened.build(failing)).toMatchObject({ kind: 'failed', error: { code: 'containerd.unavailable' } });
  expect(await opened.build(failing)).toMatchObject({ kind: 'failed', error: { code: 'engine.step-failed' } });
  expect(await opened.test.leftovers()).toEqual([]);
});
