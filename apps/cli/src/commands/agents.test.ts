import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Agent, DoctorReport } from '@loam/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { runCaptured, type CliRun } from '../testing.ts';

const agentOf = (id: string, name: string, more: Partial<Agent> = {}): Agent => ({
  id,
  name,
  pool: 'linux',
  state: 'online',
  reason: null,
  slots: 2,
  facts: null,
  enrolledAt: 1,
  lastSeenAt: null,
  running: [],
  snapshots: 3,
  snapshotBytes: 1_500_000,
  doctor: null,
  ...more,
});
const report: DoctorReport = {
  at: Date.now(),
  durationMs: 10,
  version: '0.1.0',
  platform: 'linux/amd64',
  findings: [
    {
      id: 'disk.snapshots',
      title: 'Room for snapshots',
      status: 'problem',
      evidence: '1 GiB free.',
      meaning: 'Builds fail.',
      remedy: 'Free space there.',
      fixable: false,
    },
    { id: 'clock.skew', title: 'Clock', status: 'ok', evidence: 'e', meaning: 'm', remedy: null, fixable: false },
  ],
};

describe('loam agents', () => {
  let server: Server;
  let agents: Agent[];
  let changes: string[];
  beforeEach(async () => {
    changes = [];
    agents = [agentOf('agt_1', 'soil'), agentOf('agt_2', 'twin'), agentOf('agt_3', 'twin', { state: 'revoked' })];
    // The answers that the commands read; the API's own tests hold their shape.
    server = createServer((request, response) => {
      if (request.method !== 'GET') {
        changes.push(`${request.method} ${request.url}`);
        response
          .setHeader('content-type', 'application/json')
          .end(JSON.stringify(agents.find(({ id }) => request.url?.includes(id) === true)));
        return;
      }
      const isReport = request.url?.endsWith('/doctor') === true;
      const of = request.url?.includes('agt_1') === true ? report : null;
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify(isReport ? { report: of } : { items: agents }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => server.close());

  const run = (...argv: string[]): Promise<CliRun> =>
    runCaptured(['agents', ...argv], {
      env: {
        LOAM_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        LOAM_TOKEN: 'loam_x',
        HOME: '/nowhere',
      },
    });
  const show = (...argv: string[]): Promise<CliRun> => run('show', ...argv);

  it('takes a name wherever it takes an id', async () => {
    for (const verb of ['drain', 'resume', 'revoke']) {
      expect((await run(verb, 'soil')).out).toBe('soil (agt_1) online\n');
      expect((await run(verb, 'agt_2')).code).toBe(0);
      expect((await run(verb, 'clay')).err).toContain('There is no agent clay. [api.agent-unknown]');
    }
    expect(changes).toEqual([
      'PATCH /api/v1/agents/agt_1',
      'PATCH /api/v1/agents/agt_2',
      'PATCH /api/v1/agents/agt_1',
      'PATCH /api/v1/agents/agt_2',
      'POST /api/v1/agents/agt_1/revoke',
      'POST /api/v1/agents/agt_2/revoke',
    ]);
  });

  it.each(['--hours', '--slots'])('makes no token where %s is no number above 0', async (option) => {
    for (const text of ['0', '-1', 'x']) {
      const { code, err } = await run('enrol', '--pool', 'p', `${option}=${text}`);
      expect([code, err]).toEqual([2, expect.stringContaining('Give a number above 0.')]);
    }
    expect(changes).toEqual([]);
  });

  it('finds an agent by its name and shows what its doctor found, with what to do', async () => {
    const { code, out } = await show('soil');
    expect(code).toBe(0);
    expect(out).toMatch(/health +1 problem \(2 checks\), looked \d+ s ago/);
    expect(out).toContain(
      '\nProblems\n  disk.snapshots  Room for snapshots\n    1 GiB free.\n    Builds fail.\n    → Free space there.\n',
    );
    expect(out).not.toContain('clock.skew');
  });

  it('says when an agent was not examined, and passes revoked namesakes over', async () => {
    expect((await show('twin')).out).toMatch(/agent +twin \(agt_2\)[^]*health +not examined yet/);
    expect((await show('agt_3')).out).toContain('revoked');
  });

  it('gives all of it as JSON', async () => {
    expect(JSON.parse((await show('agt_1', '--json')).out)).toEqual({ ...agents[0], doctorReport: report });
  });

  it('refuses a name that nobody has, or that two have', async () => {
    expect((await show('none')).err).toContain('none');
    agents.push(agentOf('agt_4', 'twin'));
    const { code, err } = await show('twin');
    expect([code === 0, err]).toEqual([false, expect.stringContaining('2 agents are called "twin"')]);
  });
});

describe('loam agents enrol', () => {
  it('makes no token that nobody would see: what else it shows is asked for first', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.writeHead(500).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const LOAM_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code } = await runCaptured(['agents', 'enrol', '--pool', 'linux'], {
      env: { LOAM_URL, LOAM_TOKEN: 'loam_x', HOME: '/nowhere' },
    });
    server.close();
    expect([code === 0, asked]).toEqual([false, ['GET /api/v1/downloads']]);
  });
});
