import { TestClock } from '@loam/base';
import { describe, expect, it } from 'vitest';

import { scriptedHost } from '../testing/scripted-host.ts';
import { judgeService, parseSystemd } from './agent-service.ts';
import { judgeSkew } from './clock-skew.ts';
import { judgeNamespace } from './containerd-namespace.ts';
import { judgeContainerd } from './containerd-reachable.ts';
import { judgePlugins } from './containerd-snapshotter.ts';
import { judgeCredential } from './farm-credential.ts';
import { judgeFarm } from './farm-reachable.ts';
import { judgeTls, type TlsFacts } from './farm-tls.ts';
import { judgeLeaks, twice } from './leaks.ts';
import { judgeCgroups, judgeNat, judgeOverlay, judgeRunc, parseCgroupTable } from './linux-host.ts';
import { judgeRegistries } from './registries.ts';
import { judgeState } from './state-directory.ts';

const answer = (status: number) => ({ status, date: null, body: '', sentAtMs: 0, receivedAtMs: 5 });

describe('containerd', () => {
  it('below 1.6 cannot be used on Linux', () => {
    const judge = (version: string): string => judgeContainerd({ address: 'a', version }, 'linux').status;
    expect(['1.5.18', '1.6.20~ds1', 'v2.2.0'].map(judge)).toEqual(['problem', 'ok', 'ok']);
  });

  it('without overlayfs cannot be used', () => {
    const plugins = [
      { type: 'io.containerd.snapshotter.v1', id: 'overlayfs', initError: 'overlay is not supported' },
      { type: 'io.containerd.differ.v1', id: 'walking', initError: undefined },
    ];
    expect(judgePlugins(plugins, 'linux')).toMatchObject({
      status: 'problem',
      remedy: expect.stringContaining('ftype=1'),
    });
  });

  it('is told of a namespace that the Windows snapshotter takes for a layer, or that others use (§0.1, §2.3.5)', () => {
    const names = ['loam', 'test-extract', 'EXTRACTOR', 'k8s.io', 'moby'];
    expect(names.map((name) => judgeNamespace(name).status)).toEqual([
      'ok',
      'problem',
      'problem',
      'warning',
      'warning',
    ]);
  });
});

describe('what was left behind', () => {
  it('is what is there at a second look, too', async () => {
    const clock = new TestClock();
    const looks = [
      ['lease going', 'lease staying'],
      ['lease staying', 'lease coming'],
    ];
    const facts = twice(scriptedHost({ clock }), () => Promise.resolve(looks.shift() ?? []));
    await clock.advance(0);
    await clock.advance(1500);
    expect(await facts).toEqual({ found: ['lease staying'], inUse: 'nobody' });
  });

  it('cannot be told while something runs in the agent, nor when something began meanwhile', async () => {
    let running = 1;
    const clock = new TestClock();
    const host = scriptedHost({ clock, agent: { kind: 'self', running: () => running } });
    const look = () => Promise.resolve(['lease a']);
    expect((await twice(host, look)).inUse).toBe('busy agent');
    running = 0;
    const later = twice(host, look);
    await clock.advance(0);
    running = 1;
    await clock.advance(1500);
    expect((await later).inUse).toBe('busy agent');
  });

  const what = { what: 'leases', cost: 'They cost.' };
  it('is told apart from what is in use: only an idle agent, or none, can say', () => {
    const judge = (inUse: 'nobody' | 'idle agent' | 'busy agent' | 'other process') =>
      judgeLeaks({ found: ['lease a'], inUse }, what);
    expect(judge('nobody')).toMatchObject({ status: 'warning', fixable: true });
    expect(judge('idle agent')).toMatchObject({
      status: 'warning',
      fixable: false,
      remedy: expect.stringContaining('Restart'),
    });
    expect([judge('busy agent').status, judge('other process').status]).toEqual(['skipped', 'skipped']);
  });

  it('is listed, but not without end', () => {
    const found = Array.from({ length: 30 }, (_, index) => `lease ${index}`);
    expect(judgeLeaks({ found, inUse: 'nobody' }, what).evidence).toMatch(
      /^30 leases: lease 0, .*lease 9 and 20 more\.$/,
    );
  });
});

describe('the farm', () => {
  it('that is not there, or not ready, is a problem with a way out', () => {
    const judge = (code: string) => judgeFarm('https://farm', { code, message: 'no' });
    expect(judge('ENOTFOUND')).toMatchObject({ status: 'problem', remedy: expect.stringContaining('name servers') });
    expect(judge('timeout').remedy).toContain('HTTPS_PROXY');
    expect(judge('CERT_HAS_EXPIRED').status).toBe('skipped');
    expect([200, 503, 404].map((status) => judgeFarm('u', answer(status)).status)).toEqual([
      'ok',
      'problem',
      'warning',
    ]);
  });

  it('tells a revoked credential from one that nobody could be asked about', () => {
    const judge = (status: number) => judgeCredential({ name: 'a', pool: 'linux', answer: answer(status) });
    expect([judge(200).status, judge(401).status, judge(404).status]).toEqual(['ok', 'problem', 'unknown']);
    expect(judge(401).remedy).toContain('--force');
  });

  it('shows the chain and why it is not trusted', () => {
    const day = 24 * 3_600_000;
    const facts: TlsFacts = {
      url: 'https://farm.lan',
      nowMs: Date.UTC(2026, 0, 1),
      chain: [
        { subject: 'farm.lan', issuer: 'Our CA', validTo: new Date(Date.UTC(2026, 0, 1) + 90 * day).toUTCString() },
        { subject: 'Our CA', issuer: 'Our CA', validTo: new Date(Date.UTC(2030, 0, 1)).toUTCString() },
      ],
      protocol: 'TLSv1.3',
    };
    expect(judgeTls(facts).status).toBe('ok');
    const refused = judgeTls({ ...facts, refusal: 'SELF_SIGNED_CERT_IN_CHAIN' });
    expect(refused).toMatchObject({ status: 'problem', remedy: expect.stringContaining('NODE_EXTRA_CA_CERTS') });
    expect(refused.evidence).toMatch(/farm\.lan \(until .*\), issued by Our CA \(until .*SELF_SIGNED_CERT_IN_CHAIN/);
    expect(judgeTls({ ...facts, nowMs: facts.nowMs + 80 * day }).status).toBe('warning');
    expect(judgeTls({ url: 'http://127.0.0.1:1', nowMs: 0 }).status).toBe('skipped');
    expect(judgeTls({ url: 'http://farm.lan', nowMs: 0 }).status).toBe('warning');
  });

  it('has another time only when the difference is more than what cannot be measured', () => {
    const judge = (skewMs: number | undefined) => judgeSkew({ skewMs, uncertaintyMs: 600 }, 'linux').status;
    expect([500, 20_000, -45_000, 400_000, undefined].map(judge)).toEqual([
      'ok',
      'ok',
      'warning',
      'problem',
      'unknown',
    ]);
    expect(judgeSkew({ skewMs: -45_000, uncertaintyMs: 0 }, 'windows')).toMatchObject({
      evidence: "The clock of this host is 45.0 s behind the farm's.",
      remedy: expect.stringContaining('w32tm'),
    });
  });
});

describe('a Linux host', () => {
  it('needs overlayfs, runc and controllers', () => {
    expect(judgeOverlay('nodev\tproc\nnodev\toverlay\n', '6').status).toBe('ok');
    expect(judgeOverlay('nodev\tproc\n', '6').status).toBe('warning');
    expect(judgeRunc('runc version 1.1.5+ds1\ncommit: x\n').status).toBe('ok');
    expect([judgeRunc('runc version 0.1.1').status, judgeRunc(undefined).status]).toEqual(['problem', 'problem']);
    const table = '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t2\t1\t1\nmemory\t0\t1\t0\npids\t3\t1\t1\n';
    expect(parseCgroupTable(table)).toEqual(['cpu', 'pids']);
    expect(judgeCgroups({ version: 1, controllers: ['cpu', 'pids'] }).evidence).toContain('Missing: memory');
    expect(judgeCgroups({ version: 2, controllers: ['cpu', 'memory', 'pids'] }).status).toBe('ok');
    expect(judgeCgroups({ version: undefined, controllers: [] }).status).toBe('problem');
  });

  it('without CNI plugins has no NAT, and with half of them a broken one', () => {
    expect(judgeNat({ directory: undefined, missing: [], iptables: true }).status).toBe('skipped');
    expect(judgeNat({ directory: '/opt/cni/bin', missing: ['firewall'], iptables: true }).status).toBe('warning');
    expect(judgeNat({ directory: '/usr/lib/cni', missing: [], iptables: true }).status).toBe('ok');
  });

  it('keeps the credential to itself', () => {
    const facts = { directory: '/s', exists: true };
    expect(judgeState({ ...facts, files: [{ name: 'config.json', mode: 0o644 }] }, 'linux')).toMatchObject({
      status: 'warning',
      remedy: 'Run: chmod 600 /s/config.json',
    });
    expect(judgeState({ ...facts, files: [{ name: 'config.json', mode: 0o600 }] }, 'linux').status).toBe('ok');
    expect(judgeState({ ...facts, files: [], writeFailure: 'EROFS' }, 'linux').status).toBe('problem');
  });

  it('tells a service that failed, keeps being restarted, or is not there', () => {
    const show = (...lines: string[]) => judgeService({ ...parseSystemd(lines.join('\n')), agent: 'another' });
    const running = ['LoadState=loaded', 'ActiveState=active', 'SubState=running', 'NRestarts=0', 'Result=success'];
    expect(show(...running).status).toBe('ok');
    expect(show(...running, 'NRestarts=40').status).toBe('warning');
    expect(show('LoadState=loaded', 'ActiveState=failed', 'SubState=failed', 'Result=exit-code').status).toBe(
      'problem',
    );
    expect(show('LoadState=not-found', 'ActiveState=inactive').evidence).toContain('There is no service');
  });
});

it('a registry that wants a login is there; one that does not answer is told', () => {
  expect(judgeRegistries([{ host: 'a', status: 401 }]).status).toBe('ok');
  expect(
    judgeRegistries([
      { host: 'a', status: 200 },
      { host: 'b', failure: 'no' },
    ]).status,
  ).toBe('warning');
  expect(judgeRegistries([{ host: 'b', failure: 'no' }]).status).toBe('problem');
});
