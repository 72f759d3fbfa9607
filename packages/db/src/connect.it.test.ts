import { startPostgres, type PostgresServer } from '@loam/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { connect } from './connect.ts';

let server: PostgresServer;
beforeAll(async () => void (server = await startPostgres()));
afterAll(() => server.stop());

test('however often a database that was away could not be reached, it is used again soon after its return', async () => {
  const { url } = await server.createDatabase();
  const { sql, close } = connect(url, { max: 2 });
  await sql`select 1`;
  await server.kill9();
  for (let failures = 0; failures < 12; failures++) await sql`select 1`.catch(() => undefined);
  await server.restart();
  const late = Symbol('late');
  let timer: NodeJS.Timeout | undefined;
  const answers = Promise.all(Array.from({ length: 4 }, () => sql`select 1`.catch(() => undefined)));
  const limit = new Promise((resolve) => (timer = setTimeout(resolve, 8_000, late)));
  expect(await Promise.race([answers, limit])).not.toBe(late);
  clearTimeout(timer);
  await close();
});
