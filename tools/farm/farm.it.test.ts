import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import type { Build } from '@loam/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startFarm, type Farm } from './farm.ts';
import { leftovers } from './leftovers.ts';
import { root } from './process.ts';

// The whole farm as a user has it: real PostgreSQL, containerd and runc, the programs as processes, killed for real.
let farm: Farm;
let dataDirectory: string;

beforeAll(async () => {
  dataDirectory = mkdtempSync(path.join(os.tmpdir(), 'loam-farm-'));
  farm = await startFarm({ dataDirectory, listen: '127.0.0.1:0', agent: true, say: () => undefined });
});
afterAll(async () => {
  await farm?.stop();
  rmSync(dataDirectory, { recursive: true, force: true });
});

const agentDirectory = (): string => path.join(dataDirectory, 'agent');
const lines = 300;
const expectedLog = Array.from({ length: lines }, (_, index) => `line ${index}\n`).join('');

/** A step that writes numbered lines for about three seconds, and then does as told; `salt` makes it a step of its own. */
function slowSpec(salt: string, then: string): string {
  return `((from loam.local/busybox:latest)
 (run (shell "echo before ${salt}"))
 (run (shell ": ${salt}; i=0; while [ $i -lt ${lines} ]; do echo line $i; i=$((i+1)); usleep 10000; done; ${then}"))
 (run (shell "echo after")))`;
}

interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

function cli(...args: string[]): Promise<CliResult> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [path.join(root, 'apps/cli/src/main.ts'), ...args],
      {
        cwd: root,
        env: { ...process.env, LOAM_URL: farm.url, LOAM_TOKEN: farm.token, NO_COLOR: '1' },
        maxBuffer: 64 * 1024 * 1024,
      },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? 1, stdout, stderr }),
    );
  });
}

async function until<T>(what: string, look: () => Promise<T | undefined>, timeoutMs = 240_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    // The API may be dead on purpose.
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Submits and waits until the slow step has written something. */
async function startSlowBuild(salt: string, then: string = ':'): Promise<Build> {
  const build = await farm.client.submit({ spec: slowSpec(salt, then) });
  return until('the slow step writes its log', async () => {
    const now = await farm.client.build(build.id);
    return (now.stepRuns.find((step) => step.position === '2')?.logBytes ?? 0) > 200 ? now : undefined;
  });
}

function ended(id: string): Promise<Build> {
  return until('the build ends', async () => {
    const build = await farm.client.build(id);
    return ['succeeded', 'failed', 'cancelled'].includes(build.state) ? build : undefined;
  });
}

async function logOf(build: Build, position: string): Promise<string> {
  const step = build.stepRuns.find((candidate) => candidate.position === position);
  if (!step?.logId) throw new Error(`step ${position} has no log`);
  return Buffer.from(await farm.client.log(step.logId)).toString('utf8');
}

async function expectGoodEnd(id: string): Promise<void> {
  const build = await ended(id);
  expect(build.error).toBeNull();
  expect(build.state).toBe('succeeded');
  expect(await logOf(build, '2')).toBe(expectedLog);
  expect(await logOf(build, '3')).toBe('after\n');
  await expectNothingLeft();
}

/** The records of a step go shortly after it has ended, and who knows of the end may ask sooner. */
async function expectNothingLeft(): Promise<void> {
  await expect.poll(() => leftovers(agentDirectory())).toEqual([]);
}

describe('the farm', () => {
  it('builds the sample cold with real output, and then wholly from the cache', async () => {
    const args = [
      'build',
      '-f',
      'examples/almanac/almanac.spec',
      'examples/almanac',
      '--secret',
      `almanac-key:${path.join(root, 'package.json')}`,
    ];
    const cold = await cli(...args);
    expect(cold.stderr + cold.stdout).toContain('5 passed');
    expect(cold.code).toBe(0);
    const warm = await cli(...args, '--json');
    expect(warm.code).toBe(0);
    const { items } = await farm.client.builds({ limit: 1 });
    expect(items[0]?.steps).toMatchObject({ built: 0, failed: 0 });
    expect(items[0]?.steps.hit).toBe(items[0]?.steps.total);
  });

  it("gives a failing step's exit code and keeps its log", async () => {
    const build = await farm.client.submit({
      spec: '((from loam.local/busybox:latest) (run (shell "echo it broke; exit 7")))',
    });
    const failed = await ended(build.id);
    expect(failed.state).toBe('failed');
    expect(failed.stepRuns.find((step) => step.position === '1')?.exit).toEqual({ kind: 'exited', code: 7 });
    expect(await logOf(failed, '1')).toBe('it broke\n');
  });

  it('cancels a running build and leaves nothing running', async () => {
    const build = await startSlowBuild('cancelled', 'sleep 3600');
    await farm.client.cancelBuild(build.id);
    expect((await ended(build.id)).state).toBe('cancelled');
    await expectNothingLeft();
  });

  it('ends a build well when the agent is killed in the middle of a step and started again', async () => {
    const build = await startSlowBuild('agent killed');
    process.kill(farm.agent()!.pid, 'SIGKILL');
    await farm.agent()!.ended;
    await farm.startAgent();
    await expectGoodEnd(build.id);
  });

  it('ends a build well when the API is killed in the middle of a step and started again', async () => {
    const build = await startSlowBuild('API killed');
    process.kill(farm.api().pid, 'SIGKILL');
    await farm.api().ended;
    await farm.startApi();
    await expectGoodEnd(build.id);
  });

  it('ends a build well when PostgreSQL is killed in the middle of a step', async () => {
    const build = await startSlowBuild('Postgres killed');
    process.kill(postmasterPid(), 'SIGKILL');
    await expectGoodEnd(build.id);
  });
});

function postmasterPid(): number {
  const file = path.join(dataDirectory, 'api', 'postgres', 'postmaster.pid');
  return Number(readFirstLine(file));
}

function readFirstLine(file: string): string {
  return readFileSync(file, 'utf8').split('\n')[0] ?? '';
}

it('a farm with a public address is reached here by its own, also after it was started again, and listens where it did', async () => {
  const own = mkdtempSync(path.join(os.tmpdir(), 'loam-farm-'));
  const env = { LOAM_PUBLIC_URL: 'https://farm.example' };
  const publicFarm = await startFarm({
    dataDirectory: own,
    listen: '0.0.0.0:0',
    agent: false,
    say: () => undefined,
    env,
  });
  try {
    const { port } = new URL(publicFarm.url);
    expect(publicFarm.publicUrl).toBe(env.LOAM_PUBLIC_URL);
    expect(publicFarm.loginUrl).toContain(`${env.LOAM_PUBLIC_URL}/login?code=`);
    expect(JSON.parse(readFileSync(path.join(own, 'cli.json'), 'utf8'))).toMatchObject({ url: publicFarm.url });
    await publicFarm.api().stop();
    await publicFarm.startApi();
    expect(await publicFarm.client.me()).toMatchObject({ embedded: true });
    // An address of this machine that only who listens everywhere answers at.
    expect((await fetch(`http://127.0.0.2:${port}/healthz`)).status).toBe(200);
  } finally {
    await publicFarm.stop();
    rmSync(own, { recursive: true, force: true });
  }
});
