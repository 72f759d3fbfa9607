import type { SnapshotName } from '@loam/backend';
import type { Containerd } from '@loam/containerd';
import { snapshotsProto } from '@loam/containerd/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { windowsBase, windowsRun } from '../testing/model-backend.ts';
import { nano, openModelEngine, type ModelEngine } from '../testing/model-engine.ts';
import { openSecondAgent, type SecondAgent } from '../testing/second-agent.ts';

// What OBuilder's store on Windows does wrong (reference §11.2, vectors (10)), each with a test that would see it here.
let opened: ModelEngine;
const agents: SecondAgent[] = [];

beforeEach(async () => {
  opened = await openModelEngine();
});
afterEach(async () => {
  for (const agent of agents.splice(0)) {
    expect(await agent.leftovers()).toEqual([]);
    await agent.close();
  }
  expect(await opened.close()).toEqual([]);
});

async function secondAgent(wrap?: (client: Containerd) => Containerd): Promise<SecondAgent> {
  const agent = await openSecondAgent(opened.test, wrap);
  agents.push(agent);
  return agent;
}

const administrator = '(user (name ContainerAdministrator))';
const oneStep = `((from ${nano}) ${administrator} (run (shell "echo made> C:/made.txt")))`;

function methodCount(method: string): number {
  return opened.test.model.faults.calls.filter((call) => call === method).length;
}

describe('§11.2 #4: a commit that fails', () => {
  it('fails the step, which is no hit afterwards, and leaves no snapshot behind', async () => {
    await opened.build(`((from ${nano}))`);
    const before = opened.test.model.snapshotDirectories();
    opened.test.model.faults.plant({
      method: 'Snapshots.Commit',
      times: 1,
      error: { code: 2, text: 'rename: denied' },
    });
    const failed = await opened.build(oneStep);
    expect(failed).toMatchObject({ kind: 'failed', ended: ['0 hit', '1 failed'] });
    // It is the commit that is blamed, not what is missing later.
    expect((failed.error as { internal?: string }).internal).toContain('rename: denied');
    await opened.test.backend.settled();
    await opened.test.model.collectGarbage();
    expect(opened.test.model.snapshotDirectories()).toEqual(before);
    expect(await opened.build(oneStep)).toMatchObject({ kind: 'succeeded', ended: ['0 hit', '1 built'] });
  });
});

describe('§11.2 #6: what others have in the same namespace', () => {
  it('is told apart by typed answers, whatever characters its key has', async () => {
    const { client, agentId, backend } = opened.test;
    const { snapshot } = await opened.build(oneStep);
    const root = { 'containerd.io/gc.root': 'x' };
    const odd = 'extract-7 sha256:00  Committed\tActive';
    await client.snapshots('windows').prepare({ key: odd, labels: { ...root, 'loam.agent': agentId } });
    await client.snapshots('windows').prepare({ key: `${odd} of others`, labels: root });
    expect((await backend.store.list()).map(({ name }) => name)).toContain(snapshot);
    expect((await backend.store.list()).map(({ name }) => name)).not.toContain(odd);
    expect(await backend.store.reconcile()).toMatchObject({ workingSnapshots: 1 });
    expect((await client.snapshots('windows').list()).map(({ name }) => name)).toContain(`${odd} of others`);
  });
});

describe('§11.2 #7: mounts that cannot be understood', () => {
  const garble =
    (mounts: object[]) =>
    (client: Containerd): Containerd => ({
      ...client,
      snapshots(name) {
        const snapshots = client.snapshots(name);
        const answer = async (): Promise<never> => mounts as never;
        const prepare: typeof snapshots.prepare = async (...given) => {
          await snapshots.prepare(...given);
          return answer();
        };
        return { ...snapshots, prepare, mounts: answer };
      },
    });
  const type = 'windows-layer';
  it.each([
    ['no parents', [{ type, source: 'C:\\nowhere', target: '', options: ['rw'] }]],
    ['no JSON', [{ type, source: 'C:\\x', target: '', options: ['rw', 'parentLayerPaths=[C:\\'] }]],
  ])('%s: fail the run instead of running on nothing', async (_, mounts) => {
    const base = await windowsBase(opened.test);
    const { backend } = await secondAgent(garble(mounts));
    const lease = await backend.store.lease('test');
    const working = await backend.store.prepare(base, 'run', lease);
    const run = backend.sandbox.run(windowsRun(working), { onOutput: () => undefined }, new AbortController().signal);
    await expect(run).rejects.toMatchObject({ code: expect.stringMatching(/^backend\./) });
    expect(methodCount('Tasks.Start')).toBe(0);
    await backend.store.abandon(working);
    await lease.release();
  });
});

describe('§11.2 #8: names of runs', () => {
  it('of two agents at the same moment never meet', async () => {
    const base = await windowsBase(opened.test);
    const other = await secondAgent();
    await Promise.all(
      [opened.test.backend, other.backend].flatMap((backend) =>
        Array.from({ length: 6 }, async () => {
          const lease = await backend.store.lease('test');
          const working = await backend.store.prepare(base, 'run', lease);
          const io = { onOutput: () => undefined };
          expect(await backend.sandbox.run(windowsRun(working), io, new AbortController().signal)).toMatchObject({
            code: 0,
          });
          await backend.store.abandon(working);
          await lease.release();
        }),
      ),
    );
    const made = opened.test.model.recording.calls.filter(({ method }) => method === 'Containers.Create');
    const ids = made.map((call) => (call.request as { container: { id: string } }).container.id);
    expect(new Set(ids).size).toBe(12);
    for (const id of ids) expect(id).toMatch(/^loam-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(made.filter(({ error }) => error !== undefined)).toEqual([]);
  });
});

describe('§11.2 #10: what keeps snapshots', () => {
  it('is a lease or a root label from the first moment, in a namespace of our own', async () => {
    await opened.build(oneStep);
    for (const { method, request: asked, lease, namespace } of opened.test.model.recording.calls) {
      if (!/^Snapshots\.(?:Prepare|View|Commit)$/.test(method)) continue;
      const { labels } = asked as { labels: Record<string, string> };
      expect(lease ?? labels['containerd.io/gc.root'], method).toBeDefined();
      expect(namespace).toBe('loam');
    }
  });

  it('and a removal that fails is told, not passed over', async () => {
    const { snapshot } = await opened.build(oneStep);
    opened.test.model.faults.plant({ method: 'Snapshots.Remove', times: 1, error: { code: 2, text: 'disk on fire' } });
    const { store } = opened.test.backend;
    await expect(store.remove(snapshot as SnapshotName)).rejects.toMatchObject({ code: 'containerd.failed' });
    expect(await store.stat(snapshot as SnapshotName)).toBeDefined();
  });
});

describe('§11.2 #11: a snapshot with children', () => {
  it('is not removed, and neither is what is known of it; leaves first, everything goes', async () => {
    const { store, fetcher } = opened.test.backend;
    const { snapshot } = await opened.build(oneStep);
    const platform = { os: 'windows', architecture: 'amd64' } as const;
    const image = await fetcher.resolve(nano, platform);
    const base = (await fetcher.find(image)) as SnapshotName;
    await expect(store.remove(base)).rejects.toMatchObject({ code: 'backend.snapshot-in-use' });
    expect(await fetcher.list(platform)).toMatchObject([{ name: nano, snapshot: base }]);
    expect((await store.list()).map(({ name }) => name)).toEqual(expect.arrayContaining([base, snapshot]));
    const left = await store.list();
    while (left.length > 0) {
      const leaf = left.find(({ name }) => !left.some(({ parent }) => parent === name));
      await store.remove(leaf?.name as SnapshotName);
      left.splice(left.indexOf(leaf as (typeof left)[number]), 1);
    }
    expect(await fetcher.list(platform)).toEqual([]);
    await opened.test.model.collectGarbage();
    expect(opened.test.model.snapshotDirectories()).toEqual([]);
  });
});

describe('§11.2 #12: a name that is there already', () => {
  it('is used and never removed, neither by a fetch nor by a commit', async () => {
    await opened.build(oneStep);
    const { client, backend } = opened.test;
    const { fetcher, store } = backend;
    const image = await fetcher.resolve(nano, { os: 'windows', architecture: 'amd64' });
    const lease = await store.lease('again');
    await fetcher.fetch(image, { lease });
    const [step] = (await store.list()).filter(({ name }) => !name.startsWith('sha256:'));
    const working = await store.prepare(step?.parent ?? null, 'run', lease);
    await store.commit(working, step?.name as SnapshotName, { other: 'labels' });
    await lease.release();
    expect(await store.stat(step?.name as SnapshotName)).toEqual(step);
    const committed = new Set(asked(snapshotsProto.CommitSnapshotRequestSchema.typeName, 'name'));
    const removed = asked(snapshotsProto.RemoveSnapshotRequestSchema.typeName, 'key');
    expect(removed.filter((key) => committed.has(key))).toEqual([]);
    expect((await client.snapshots('windows').list()).every(({ kind }) => kind === 'committed')).toBe(true);
  });
});

/** A field of every request of a type. */
function asked(typeName: string, field: string): string[] {
  return opened.test.model.recording.calls.flatMap(({ request: message }) => {
    const { $typeName, ...fields } = (message ?? {}) as Record<string, string>;
    return $typeName === typeName ? [fields[field] ?? ''] : [];
  });
}

describe('vectors (10) two stores: two agents on one daemon', () => {
  it('build the same steps at the same time, and neither loses anything to the other', async () => {
    const base = await windowsBase(opened.test);
    const other = await secondAgent();
    const both = [opened.test.backend, other.backend];
    const commit = async ({ store, sandbox }: (typeof both)[number]): Promise<unknown> => {
      const lease = await store.lease('same');
      const working = await store.prepare(base, 'run', lease);
      await sandbox.run(windowsRun(working), { onOutput: () => undefined }, new AbortController().signal);
      const { name } = await store.commit(working, 'same-step' as SnapshotName, {});
      await lease.release();
      return name;
    };
    expect(await Promise.all(both.map(commit))).toEqual(['same-step', 'same-step']);
    await opened.test.model.collectGarbage();
    for (const { store } of both) expect(await store.stat('same-step' as SnapshotName)).toBeDefined();
  });

  it('§11.2 #9, vectors (10) start-up: start anew without touching what the other one has under way', async () => {
    const base = await windowsBase(opened.test);
    const other = await secondAgent();
    const { store } = opened.test.backend;
    const lease = await store.lease('under way');
    const working = await store.prepare(base, 'run', lease);
    const abort = new AbortController();
    let ended = false;
    const ping = { ...windowsRun(working), argv: ['cmd', '/S', '/C', 'ping -n 100 127.0.0.1'] };
    const running = opened.test.backend.sandbox.run(ping, { onOutput: () => undefined }, abort.signal);
    running.catch(() => undefined).finally(() => (ended = true));
    await expect.poll(() => methodCount('Tasks.Start')).toBe(1);
    expect(await other.backend.store.reconcile()).toMatchObject({
      tasks: 0,
      containers: 0,
      workingSnapshots: 0,
      leases: 0,
    });
    expect(ended).toBe(false);
    abort.abort();
    await expect(running).rejects.toMatchObject({ code: 'general.cancelled' });
    await store.abandon(working);
    await lease.release();
  });
});
