import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ContainerdModel } from '@loam/containerd-model';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { writeFarmConfig } from '../../config.ts';

// For the Windows lane: the packaged agent (LOAM_LANE_AGENT) as a service of Wine's service manager, with the model of containerd
// on a named pipe. Tests build on each other, in order.
const name = 'loam-agent-lane';
const credential = 'never-in-a-log-0123456789';
const home = mkdtempSync(join(tmpdir(), 'loam service '));
const state = join(home, 'state');
let containerd: ContainerdModel;

beforeAll(async () => {
  containerd = await ContainerdModel.start({ address: `\\\\.\\pipe\\loam-service-${process.pid}` });
  mkdirSync(state);
  // Nobody listens there: an agent starts without its farm, too.
  writeFarmConfig(state, { url: 'http://127.0.0.1:9', agentId: 'agt_x', credential, name, pool: 'lane', slots: 1 });
});
afterAll(async () => {
  await service('uninstall');
  await containerd.close();
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
});

/** `loam-agent service …`. Its output goes to a file: under Wine node.exe takes no pipe. */
async function service(verb: string, ...parameters: string[]): Promise<{ code: number | null; output: string }> {
  const program = process.env['LOAM_LANE_AGENT'];
  if (program === undefined) throw new Error('LOAM_LANE_AGENT names no packaged agent: npm run package -- windows-x64');
  const file = join(home, 'output.txt');
  const handle = openSync(file, 'w');
  const child = spawn(program, ['service', verb, '--name', name, '--json', ...parameters], {
    stdio: ['ignore', handle, handle],
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
  closeSync(handle);
  return { code, output: readFileSync(file, 'utf8') };
}

const logText = (): string => readFileSync(join(state, 'service-log', 'agent.log'), 'utf8');

function logged(): string[] {
  const lines = logText().trimEnd().split('\n');
  return lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
}

const install = () => service('install', '--state', state, '--containerd', containerd.address);

describe('the packaged agent as a Windows service', () => {
  it('is installed once, however often one asks', async () => {
    expect((await service('status')).code).toBe(4);
    expect(JSON.parse((await install()).output)).toMatchObject({ name, changed: 'created' });
    expect(JSON.parse((await install()).output)).toMatchObject({ name, changed: 'unchanged' });
    const { code, output } = await service('status');
    expect(code).toBe(3);
    expect(JSON.parse(output)).toMatchObject({ state: 'stopped', startsAtBoot: true });
  });

  it('says that `service run` is not for people', async () => {
    const { code, output } = await service('run', '--state', state);
    expect([code, output]).toEqual([1, expect.stringContaining('agent.service-only-by-manager')]);
  });

  it('waits, when it is started, for a containerd that does not answer yet', async () => {
    await containerd.killDaemon();
    const started = service('start');
    await vi.waitFor(() => expect(logged()).toContain('containerd does not answer yet; trying again'), {
      timeout: 20_000,
    });
    await containerd.startDaemon();
    expect(await started).toMatchObject({ code: 0 });
  });

  it('runs, then, as a process of its own, and is as well when it is started again', async () => {
    const { code, output } = await service('status');
    expect(code).toBe(0);
    expect((JSON.parse(output) as { processId: number }).processId).toBeGreaterThan(0);
    expect(await service('start')).toMatchObject({ code: 0 });
  });

  it('stops in order, and says so in its log, which holds no credential', async () => {
    expect(await service('stop')).toMatchObject({ code: 0 });
    const stopped = JSON.parse((await service('status')).output) as object;
    expect(stopped).toMatchObject({ state: 'stopped' });
    expect(stopped).not.toHaveProperty('exitCode');
    expect(logged().filter((text) => /agent started|^stopp/.test(text))).toEqual([
      'agent started',
      'stopping',
      'stopped',
    ]);
    expect(logText()).not.toContain(credential);
  });

  it('is gone after uninstall, which may be repeated', async () => {
    expect(JSON.parse((await service('uninstall')).output)).toEqual({ name, removed: true });
    expect(JSON.parse((await service('uninstall')).output)).toEqual({ name, removed: false });
    expect((await service('start')).output).toContain('agent.service-unknown');
  });
});
