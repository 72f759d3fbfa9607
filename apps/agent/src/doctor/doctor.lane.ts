import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LoamError } from '@loam/base';
import type { DoctorReport, Finding } from '@loam/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { allChecks } from './checks/all-checks.ts';
import { examine } from './examine.ts';
import { makeDoctorHost } from './make-doctor-host.ts';
import { runProgram } from './host-command.ts';

// On node.exe with the programs of Wine, which has no containers: that the ways of asking work, not what Windows answers.
let report: DoctorReport;
const state = mkdtempSync(join(tmpdir(), 'loam-doctor-'));
const find = (id: string): Finding | undefined => report.findings.find((finding) => finding.id === id);

beforeAll(async () => {
  const host = makeDoctorHost({
    stateDirectory: state,
    namespace: 'loam',
    agent: { kind: 'nobody' },
    identity: 'agt_lane',
    windows: {},
    containerd: () => Promise.reject(LoamError.of('containerd.unavailable', {})),
    reconcile: () => Promise.reject(new Error('not here')),
  });
  report = await examine(host, { checks: allChecks, version: '0', platform: 'windows/amd64' });
}, 60_000);
afterAll(() => rmSync(state, { recursive: true, force: true, maxRetries: 5 }));

describe('the doctor on win32', () => {
  it('asks reg.exe and sc.exe in a way that they understand', () => {
    expect(find('windows.build')?.status).toBe('ok');
    expect(find('windows.long-paths')?.status).toMatch(/^(ok|warning)$/);
    expect(find('windows.services')?.evidence).toMatch(/^vmcompute: [A-Za-z_ ]+, hns: [A-Za-z_ ]+\.$/);
    expect(find('agent.service')?.status).toBe('warning');
  });

  it('writes to the state directory and measures its volume', () => {
    expect(find('disk.state')?.status).toBe('ok');
    expect(find('state.directory')?.status).not.toBe('problem');
  });

  it('says once that containerd is away, and makes no Linux checks', () => {
    expect(find('containerd.reachable')?.status).toBe('problem');
    expect([find('leaks.layers')?.status, find('disk.snapshots')?.status]).toEqual(['skipped', 'skipped']);
    expect(report.findings.some(({ id }) => id.startsWith('linux.') || id === 'leaks.mounts')).toBe(false);
  });

  it('gives the exit code of a program and its variables, and says when there is none', async () => {
    expect(await runProgram('cmd.exe', ['/c', 'exit 7'])).toMatchObject({ code: 7 });
    const { stdout } = await runProgram('cmd.exe', ['/c', 'echo %LOAM_LANE%'], { LOAM_LANE: 'a b' });
    expect(stdout.trim()).toBe('a b');
    await expect(runProgram('no-such-program.exe', [])).rejects.toThrow('ENOENT');
  });
});
