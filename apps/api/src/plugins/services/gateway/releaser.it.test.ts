import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@loam/base';
import { migrate, openDatabase } from '@loam/db';
import { openLogStore } from '@loam/logs';
import { startPostgres, type PostgresServer } from '@loam/testkit';
import type { FastifyBaseLogger } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { defaultLimits, defaultTiming } from '../../../config.ts';
import { smallSpec } from '../../../testing/farm.ts';
import { localBus } from '../bus.ts';
import { newTally } from '../tally.ts';
import { Releaser } from './releaser.ts';

let server: PostgresServer;
let home: string;
beforeAll(async () => {
  server = await startPostgres();
  home = mkdtempSync(join(tmpdir(), 'loam-releaser-'));
});
afterAll(async () => {
  await server.stop();
  rmSync(home, { recursive: true, force: true });
});

test('an attempt whose agent was told to stop is lost when the database is back, though nobody says so again', async () => {
  const { url } = await server.createDatabase();
  await migrate(url);
  const db = openDatabase(url, { max: 2 });
  await db.builds.create(
    {
      id: 'b',
      title: null,
      pool: 'p',
      priority: 0,
      spec: smallSpec,
      specHash: 'h',
      context: null,
      secretIds: [],
      secretNames: {},
      timeoutMs: null,
      limits: {},
      refresh: false,
      warnings: [],
      plan: [],
      createdAt: 1,
      createdBy: 'test',
      retryOf: null,
    },
    { secrets: [], audit: { id: 'aud', at: 1, actor: 'test', action: 'build.submitted', subject: 'b' } },
  );
  await db.attempts.claim({ pool: 'p', agentId: 'a', attemptId: 't', now: 1 });
  const releaser = new Releaser({
    db,
    logs: openLogStore({ directory: home }),
    bus: localBus(),
    clock: systemClock,
    limits: defaultLimits,
    timing: defaultTiming,
    log: pino({ level: 'silent' }) as FastifyBaseLogger,
    tally: newTally(),
    isLinked: () => true,
    drop: () => undefined,
  });
  await server.kill9();
  await expect(releaser.lose(['t'])).rejects.toThrow();
  const lost = releaser.loseSurely('t');
  await server.restart();
  await lost;
  expect(await db.attempts.live({ agentId: 'a' })).toEqual([]);
  expect(await db.builds.get('b')).toMatchObject({ state: 'queued', liveAttempt: null });
  await db.close();
});
