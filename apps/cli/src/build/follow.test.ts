import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';

import type { LiveFrame, LiveRequest } from '@loam/contracts';

import { runCaptured } from '../testing.ts';
import { sampleBuild, sampleStep } from './sample-build.ts';

/** A farm as a client meets it on a bad day: it drops every connection after a few frames. */
const original = Array.from({ length: 200 }, (_, number) => `line ${number}\n`).join('');
const running = sampleStep({ state: 'running', id: 'run_1', logId: 'run_1' });
const failed = sampleStep({ ...running, state: 'failed', durationMs: 10, exit: { kind: 'exited', code: 3 } });
const end = sampleBuild({ state: 'failed', endedAt: 2000, stepRuns: [failed] });

let server: Server;
let connections: number;
let url: string;
let serve: (socket: WebSocket, request: LiveRequest) => void;

beforeEach(async () => {
  connections = 0;
  server = createServer((request, response) => {
    const isAllowed = request.headers.authorization === 'Bearer secret';
    response.statusCode = isAllowed ? 200 : 401;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.method === 'POST' ? sampleBuild({ state: 'queued' }) : end));
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (request.headers.authorization !== 'Bearer secret') {
      socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (live) => {
      connections++;
      live.on('message', (data) => serve(live, JSON.parse((data as Buffer).toString()) as LiveRequest));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function send(socket: WebSocket, frame: LiveFrame): void {
  socket.send(JSON.stringify(frame));
}

function log(from: number, to: number): LiveFrame {
  return { type: 'log', logId: 'run_1', offset: from, data: Buffer.from(original.slice(from, to)).toString('base64') };
}

test('a log arrives whole, each byte once, over connections that break all the time', async () => {
  serve = (socket, request) => {
    if (request.type === 'watch-build') send(socket, { type: 'build', build: sampleBuild({ stepRuns: [running] }) });
    if (request.type !== 'watch-log') return;
    // Some of it twice, and then nothing more on this connection, until the whole log has been sent.
    const to = Math.min(original.length, request.from + 300);
    send(socket, log(request.from, to));
    send(socket, log(Math.max(0, to - 50), to));
    if (to < original.length) {
      socket.close();
      return;
    }
    send(socket, { type: 'step', buildId: 'bld_1', step: failed });
    send(socket, { type: 'build', build: end });
    send(socket, { type: 'log-end', logId: 'run_1', size: original.length });
  };
  const args = ['retry', 'bld_0', '--url', url, '--token', 'secret'];
  const plain = await runCaptured([...args, '--plain-log']);
  expect(plain.code).toBe(3);
  expect(
    plain.out
      .split('\n')
      .filter((line) => line.startsWith('line '))
      .join('\n') + '\n',
  ).toBe(original);
  expect(plain.out).toContain('[1] failed: exit code 3');
  expect(connections).toBeGreaterThan(3);

  const json = await runCaptured([...args, '--json']);
  const events = json.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; data?: string });
  const bytes = events.map((event) => Buffer.from(event.data ?? '', 'base64').toString());
  expect(bytes.join('')).toBe(original);
  expect(events.at(-1)).toMatchObject({ type: 'result', state: 'failed', exitCode: 3 });
});

test('a farm that does not know the token is not asked again and again', async () => {
  const { code, err } = await runCaptured(['logs', 'bld_1', '--follow', '--url', url, '--token', 'wrong']);
  expect([code, connections]).toEqual([1, 0]);
  expect(err).toContain('error:');
});

test("a build that the farm does not show ends with the farm's reason", async () => {
  serve = (socket, request) => {
    if (request.type !== 'watch-build') return;
    send(socket, { type: 'error', code: 'general.internal', message: 'There is no such build.', about: 'bld_1' });
  };
  const { code, err } = await runCaptured(['retry', 'bld_0', '--url', url, '--token', 'secret']);
  expect([code, err]).toEqual([125, expect.stringContaining('There is no such build.')]);
});
