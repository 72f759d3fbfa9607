import { startPostgres, type PostgresServer } from '@loam/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { connect } from './connect.ts';

let server: PostgresServer;
beforeAll(async () => void (server = await startPostgres()));
afterAll(() => server.stop());

test('however often a database that was away could not be reached, it is used again soon after its return', async () => {
  const { url } = await server.createDatabase();
  const { sql, close } = connect(url, { max: 2 });
  await sql`select 1`;
  await server.kill9();
  // What the driver asks for counts, and not how long it then takes.
  const timers = vi.spyOn(globalThis, 'setTimeout');
  for (let failures = 0; failures < 12; failures++) await sql`select 1`.catch(() => undefined);
  const restsMs = timers.mock.calls.filter(([work]) => work.name === 'connect').map(([, ms]) => ms ?? 0);
  timers.mockRestore();
  expect(restsMs.length).toBeGreaterThan(10);
  expect(Math.max(...restsMs)).toBeLessThanOrEqual(500);
  await server.restart();
  await expect.poll(() => sql`select 1 as one`.catch(() => undefined)).toEqual([{ one: 1 }]);
  await close();
});
