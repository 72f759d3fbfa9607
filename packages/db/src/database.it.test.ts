import { readFile } from 'node:fs/promises';

import { startPostgres, type PostgresServer } from '@loam/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { connect } from './connect.ts';
import { openDatabase, type AttemptChanges, type Database } from './index.ts';
import { migrate } from './migrate.ts';

let server: PostgresServer;
let template: string;
beforeAll(async () => {
  server = await startPostgres();
  template = await server.migratedTemplate(migrate);
});
afterAll(() => server.stop());

async function fresh(): Promise<{ db: Database; url: string; close: () => Promise<void> }> {
  const database = await server.createDatabase({ template });
  const db = openDatabase(database.url, { max: 4 });
  return {
    db,
    url: database.url,
    async close() {
      await db.close();
      await database.drop();
    },
  };
}

async function addBuild(db: Database, id: string): Promise<void> {
  await db.builds.create(
    {
      id,
      title: null,
      pool: 'p',
      priority: 0,
      spec: '((from a))',
      specHash: 'h',
      context: null,
      secretIds: [],
      secretNames: {},
      timeoutMs: null,
      limits: {},
      refresh: false,
      warnings: [],
      plan: [{ position: '0', stage: [], kind: 'from', op: '(from a)' }],
      createdAt: 1,
      createdBy: 'test',
      retryOf: null,
    },
    { secrets: [], audit: { id: `aud-${id}`, at: 1, actor: 'test', action: 'build.submitted', subject: id } },
  );
}

test('many processes that start at once migrate once', async () => {
  const database = await server.createDatabase();
  await Promise.all(Array.from({ length: 6 }, () => migrate(database.url)));
  const { sql, close } = connect(database.url);
  const [row] = await sql<{ count: number }[]>`select count(*) as count from drizzle.__drizzle_migrations`;
  const journal = JSON.parse(await readFile(new URL('../migrations/meta/_journal.json', import.meta.url), 'utf8')) as {
    entries: unknown[];
  };
  expect(row?.count).toBe(journal.entries.length);
  await close();
});

test('of many claims at once, each build goes to one', async () => {
  const { db, close } = await fresh();
  for (let n = 0; n < 5; n++) await addBuild(db, `b${n}`);
  const claims = await Promise.all(
    Array.from({ length: 20 }, (_, n) => db.attempts.claim({ pool: 'p', agentId: 'a', attemptId: `t${n}`, now: 1 })),
  );
  const given = claims.filter((claim) => claim !== undefined).map((claim) => claim.id);
  // A claim that met another on the same build may come back empty; no build is ever given twice, and none is forgotten.
  expect(new Set(given).size).toBe(given.length);
  for (;;) {
    const claim = await db.attempts.claim({ pool: 'p', agentId: 'a', attemptId: `u${given.length}`, now: 2 });
    if (claim === undefined) break;
    given.push(claim.id);
  }
  expect(given.sort()).toEqual(['b0', 'b1', 'b2', 'b3', 'b4']);
  await close();
});

const maxAttempts = { maxAttempts: 1000, error: { code: 'x', message: 'x', remedy: 'x' } };

function changes(stepRunId: string, ended: boolean): AttemptChanges {
  return {
    stepRuns: [
      {
        id: stepRunId,
        position: '0',
        kind: 'from',
        state: 'running',
        isNew: true,
        stepId: null,
        parentId: null,
        phase: null,
        phaseStartedAt: null,
        phases: null,
        currentBytes: null,
        totalBytes: null,
        startedAt: 1,
        endedAt: null,
        durationMs: null,
        sizeBytes: null,
        exit: null,
        error: null,
      },
    ],
    progress: [],
    logs: [{ id: stepRunId, sizeBytes: 10, endedAt: null }],
    steps: [],
    baseImages: [],
    ...(ended ? { ended: { outcome: 'succeeded' as const, at: 2, result: null, error: null } } : {}),
  };
}

type Op =
  | { kind: 'claim' }
  | { kind: 'accept'; which: number }
  | { kind: 'withdraw'; which: number }
  | { kind: 'lose'; which: number }
  | { kind: 'apply'; which: number; fenceOff: number; seqOff: number; ended: boolean };

const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ kind: fc.constant('claim' as const) }),
  fc.record({ kind: fc.constant('accept' as const), which: fc.nat(6) }),
  fc.record({ kind: fc.constant('withdraw' as const), which: fc.nat(6) }),
  fc.record({ kind: fc.constant('lose' as const), which: fc.nat(6) }),
  fc.record({
    kind: fc.constant('apply' as const),
    which: fc.nat(6),
    fenceOff: fc.constantFrom(0, 0, 0, -1, 1),
    seqOff: fc.constantFrom(0, 0, 0, -1, 1),
    ended: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  }),
);

interface Model {
  id: string;
  fence: number;
  state: 'offered' | 'running' | 'over' | 'gone';
  acked: number;
}

// Without this, a builder that was thought dead could overwrite what its successor did.
test('whatever happens in whatever order, only the live attempt writes, at its own place, under a fence above all before', async () => {
  const { db, url, close } = await fresh();
  const { sql, close: closeSql } = connect(url, { max: 1 });
  let builds = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(op, { minLength: 12, maxLength: 40 }), async (ops) => {
      await sql`update builds set state = 'cancelled' where state = 'queued'`;
      const buildId = `build-${++builds}`;
      await addBuild(db, buildId);
      const attempts: Model[] = [];
      let isOver = false;
      const live = (): Model | undefined => attempts.find((one) => one.state === 'offered' || one.state === 'running');
      for (const [n, step] of ops.entries()) {
        if (step.kind === 'claim') {
          const id = `${buildId}-${n}`;
          const claimed = await db.attempts.claim({ pool: 'p', agentId: 'a', attemptId: id, now: n });
          expect(claimed !== undefined).toBe(live() === undefined && !isOver);
          if (claimed === undefined) continue;
          expect(claimed.fence).toBeGreaterThan(Math.max(0, ...attempts.map((one) => one.fence)));
          attempts.push({ id, fence: claimed.fence, state: 'offered', acked: 0 });
          continue;
        }
        const attempt = attempts[step.which % Math.max(1, attempts.length)];
        if (attempt === undefined) continue;
        const isLive = attempt.state === 'offered' || attempt.state === 'running';
        if (step.kind === 'accept') {
          const taken = await db.attempts.accept({ attemptId: attempt.id, agentId: 'a', fence: attempt.fence }, n);
          if (isLive) expect(taken).toBe(true);
          if (attempt.state === 'gone') expect(taken).toBe(false);
          if (attempt.state === 'offered') attempt.state = 'running';
        } else if (step.kind === 'withdraw') {
          const released = await db.attempts.withdraw(attempt.id, n);
          expect(released !== undefined).toBe(attempt.state === 'offered');
          if (attempt.state === 'offered') attempt.state = 'gone';
        } else if (step.kind === 'lose') {
          const { builds: released } = await db.attempts.lose([attempt.id], n, maxAttempts);
          expect(released).toHaveLength(isLive ? 1 : 0);
          if (isLive) attempt.state = 'gone';
        } else {
          const stepRunId = `${buildId}-run-${n}`;
          const expectedSeq = attempt.acked + step.seqOff;
          const applied = await db.attempts.apply(
            { attemptId: attempt.id, agentId: 'a', fence: attempt.fence + step.fenceOff },
            { expectedSeq, lastSeq: expectedSeq + 1, changes: changes(stepRunId, step.ended) },
            n,
          );
          const mayWrite = isLive && step.fenceOff === 0 && step.seqOff === 0;
          expect(applied.kind === 'applied').toBe(mayWrite);
          const written = await sql`select 1 from step_runs where id = ${stepRunId}
            union all select 1 from logs where id = ${stepRunId}`;
          expect(written).toHaveLength(mayWrite ? 2 : 0);
          if (!mayWrite) continue;
          attempt.acked = expectedSeq + 1;
          attempt.state = step.ended ? 'over' : 'running';
          isOver ||= step.ended;
        }
        const rows = await sql<{ id: string }[]>`
          select id from attempts where build_id = ${buildId} and state in ('offered', 'running')`;
        expect(rows.map((row) => row.id)).toEqual(live() === undefined ? [] : [live()?.id]);
      }
    }),
    { numRuns: 60 },
  );
  await closeSql();
  await close();
});

test('an acceptance that comes while the first records are being stored is an acceptance', async () => {
  const { db, close } = await fresh();
  for (let n = 0; n < 20; n++) {
    await addBuild(db, `b${n}`);
    const claimed = await db.attempts.claim({ pool: 'p', agentId: 'a', attemptId: `t${n}`, now: 1 });
    const writer = { attemptId: `t${n}`, agentId: 'a', fence: claimed?.fence ?? 0 };
    const [applied, accepted] = await Promise.all([
      db.attempts.apply(writer, { expectedSeq: 0, lastSeq: 1, changes: changes(`r${n}`, false) }, 2),
      db.attempts.accept(writer, 2),
    ]);
    expect([applied.kind, accepted]).toEqual(['applied', true]);
  }
  await close();
});

test('a build whose attempts were lost too often ends as failed, and one that was to be cancelled as cancelled', async () => {
  const { db, close } = await fresh();
  const limit = { maxAttempts: 2, error: { code: 'c', message: 'm', remedy: 'r' } };
  await addBuild(db, 'b1');
  for (const attemptId of ['t1', 't2']) {
    await db.attempts.claim({ pool: 'p', agentId: 'a', attemptId, now: 1 });
    await db.attempts.lose([attemptId], 2, limit);
  }
  expect(await db.builds.get('b1')).toMatchObject({ state: 'failed', error: limit.error, liveAttempt: null });
  await addBuild(db, 'b2');
  await db.attempts.claim({ pool: 'p', agentId: 'a', attemptId: 't3', now: 1 });
  const audit = { id: 'x', at: 1, actor: 'me', action: 'build.cancelled', subject: 'b2' };
  expect(await db.builds.cancel('b2', 3, audit)).toBe('requested');
  await db.attempts.lose(['t3'], 4, limit);
  expect((await db.builds.get('b2'))?.state).toBe('cancelled');
  await close();
});
