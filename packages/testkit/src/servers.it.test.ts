import { once } from 'node:events';
import { createConnection } from 'node:net';

import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startPostgres, type PostgresServer } from './postgres.ts';
import { startRedis } from './redis.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.stop();
});

async function count(url: string): Promise<number> {
  const sql = postgres(url, { max: 1 });
  try {
    const rows = await sql<{ count: number }[]>`SELECT count(*)::int AS count FROM beds`;
    return rows[0]?.count ?? -1;
  } finally {
    await sql.end();
  }
}

async function execute(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1 });
  await sql.unsafe(statement);
  await sql.end();
}

test('each clone of a migrated template has its schema and is alone with its rows', async () => {
  const template = await server.migratedTemplate((url) => execute(url, 'CREATE TABLE beds (id int)'));
  const one = await server.createDatabase({ template });
  const two = await server.createDatabase({ template });
  await execute(one.url, 'INSERT INTO beds VALUES (1), (2)');
  expect([await count(one.url), await count(two.url)]).toEqual([2, 0]);
  await one.drop();
  await expect(count(one.url)).rejects.toThrow(/does not exist/);
});

test('what was committed is there again after the server was killed and restarted', async () => {
  const database = await server.createDatabase();
  await execute(database.url, 'CREATE TABLE beds (id int); INSERT INTO beds VALUES (1)');
  await server.kill9();
  await server.restart();
  expect(await count(database.url)).toBe(1);
});

test('a killed Redis listens again on the same port: empty, or with its data when it is persistent', async () => {
  for (const persistent of [false, true]) {
    const redis = await startRedis({ persistent });
    await command(redis.url, 'SET bed rose');
    await redis.kill9();
    await redis.restart();
    expect(await command(redis.url, 'GET bed')).toBe(persistent ? '$4\r\nrose\r\n' : '$-1\r\n');
    await redis.stop();
  }
});

async function command(url: string, text: string): Promise<string> {
  const socket = createConnection(Number(new URL(url).port), '127.0.0.1');
  socket.write(`${text}\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString();
}
