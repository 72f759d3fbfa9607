import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { namespacePrefix } from '@loam/backend-containerd';
import type { DoctorReport, Finding } from '@loam/contracts';
import { connect, type Containerd } from '@loam/containerd';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { readIdentity, writeFarmConfig } from '../config.ts';
import { TestInstall } from '../testing/agent-process.ts';

interface Answer {
  readonly code: number | null;
  readonly report: DoctorReport;
  readonly repairs?: { id: string; ok: boolean; what: string }[];
  status(id: string): Finding['status'] | undefined;
  finding(id: string): Finding | undefined;
}

async function look(install: TestInstall, ...options: string[]): Promise<Answer> {
  const { code, stdout, stderr } = await install.run('doctor', '--json', ...options);
  if (stdout === '') throw new Error(stderr);
  const answer = JSON.parse(stdout) as Pick<Answer, 'report' | 'repairs'>;
  const finding = (id: string): Finding | undefined => answer.report.findings.find((one) => one.id === id);
  return { code, ...answer, finding, status: (id) => finding(id)?.status };
}

describe('the doctor on a real containerd', () => {
  let install: TestInstall;
  beforeAll(async () => {
    install = new TestInstall();
    await install.importBusybox();
    mkdirSync(join(install.home, 'project'));
  });
  afterAll(() => install.close());

  const leakIds = ['leaks.containers', 'leaks.snapshots', 'leaks.leases'];

  it('finds a host that is in order in order', async () => {
    const { code, report, status } = await look(install);
    expect([code, report.findings.filter((one) => one.status === 'problem')]).toEqual([0, []]);
    for (const id of ['containerd.reachable', 'containerd.snapshotter', 'disk.state', 'state.directory', ...leakIds]) {
      expect([id, status(id)]).toEqual([id, 'ok']);
    }
    expect(report.findings.some(({ id }) => id.startsWith('windows.') || id === 'registries.reachable')).toBe(false);
  });

  it('sees what a killed agent left, removes that and nothing of others with --fix, and looks again', async () => {
    const spec = install.file(
      'slow.spec',
      '((from loam.local/busybox:latest) (run (shell "echo step-$((40+2))-runs; sleep 3600")))',
    );
    const killed = install.start('build', '-f', spec, 'project', '--keep-containerd');
    await killed.printed('step-42-runs');
    killed.child.kill('SIGKILL');
    await killed.ended;
    const client = connect({ address: install.socket, namespace: 'loam' });
    const foreign = { 'loam.agent': 'agt_other' };
    await client.leases.create({ id: 'planted', labels: { 'loam.agent': readIdentity(install.state) } });
    await client.leases.create({ id: 'foreign', labels: foreign });
    await client.snapshots('overlayfs').prepare({ key: 'foreign', labels: foreign }, { lease: 'foreign' });

    const before = await look(install);
    expect(leakIds.map(before.status)).toEqual(['warning', 'warning', 'warning']);
    expect(before.finding('leaks.leases')).toMatchObject({
      evidence: expect.stringContaining('lease planted'),
      fixable: true,
    });
    expect(JSON.stringify(before.report)).not.toContain('foreign');
    expect(before.code).toBe(0);

    const after = await look(install, '--fix');
    expect(after.repairs?.[0]).toMatchObject({
      id: 'leaks.containers',
      ok: true,
      what: expect.stringMatching(/^Removed 1 tasks, 1 containers, 1 working snapshots, 2 leases/),
    });
    expect(after.repairs?.every(({ ok }) => ok)).toBe(true);
    expect([after.code, ...leakIds.map(after.status)]).toEqual([0, 'ok', 'ok', 'ok']);
    await expectForeign(client);
    expect(await install.leftovers()).toEqual([]);
    client.close();
  });

  async function expectForeign(client: Containerd): Promise<void> {
    expect((await client.leases.list()).map(({ id }) => id)).toEqual(['foreign']);
    expect((await client.snapshots('overlayfs').stat('foreign')).kind).toBe('active');
    await client.leases.delete('foreign', { sync: true });
  }

  it('removes a network namespace of ours that no record leads to, and none of another agent', async () => {
    // Of all agents on this host, whose test may run beside this one, too.
    const another = `loam-another-${process.pid}`;
    const name = `${namespacePrefix(readIdentity(install.state))}lost`;
    for (const one of [name, another]) execFileSync('ip', ['netns', 'add', one]);
    try {
      expect((await look(install)).finding('leaks.networks')?.evidence).toContain(
        `1 network namespaces and endpoints: namespace ${name}`,
      );
      expect((await look(install, '--fix', '--only', 'leaks.networks')).status('leaks.networks')).toBe('ok');
      expect(readdirSync('/run/netns')).toContain(another);
    } finally {
      for (const one of [name, another]) spawnSync('ip', ['netns', 'delete', one]);
    }
  });

  it('says which network namespace it could not remove, and why', async () => {
    const name = `${namespacePrefix(readIdentity(install.state))}held`;
    execFileSync('ip', ['netns', 'add', name]);
    const programs = join(install.home, 'programs');
    mkdirSync(programs);
    writeFileSync(join(programs, 'ip'), '#!/bin/sh\necho "it is held" >&2\nexit 1\n', { mode: 0o755 });
    const { PATH } = process.env;
    process.env['PATH'] = `${programs}:${PATH}`;
    try {
      const { repairs } = await look(install, '--fix', '--only', 'leaks.networks');
      expect(repairs).toEqual([
        { id: 'leaks.networks', ok: false, what: expect.stringMatching(new RegExp(`${name}.*it is held`)) },
      ]);
    } finally {
      process.env['PATH'] = PATH;
      spawnSync('ip', ['netns', 'delete', name]);
    }
  });

  it('ends the containerd that it started for a repair, though no check asks for it afterwards', async () => {
    const name = `${namespacePrefix(readIdentity(install.state))}lost`;
    execFileSync('ip', ['netns', 'add', name]);
    try {
      const { stdout, code } = await install.start('doctor', '--json', '--fix', '--only', 'leaks.networks').ended;
      expect([code, JSON.parse(stdout)]).toMatchObject([0, { repairs: [{ id: 'leaks.networks', ok: true }] }]);
      expect(readdirSync(join(install.state, 'containerd'))).not.toContain('containerd.pid');
    } finally {
      spawnSync('ip', ['netns', 'delete', name]);
    }
  });

  it('takes nothing that is in use for left over, and repairs nothing beside an agent that runs', async () => {
    const spec = install.file(
      'busy.spec',
      '((from loam.local/busybox:latest) (run (shell "echo busy-$((40+2)); sleep 3600")))',
    );
    const busy = install.start('build', '-f', spec, 'project', '--keep-containerd');
    await busy.printed('busy-42');
    const { status, finding, repairs } = await look(install, '--fix');
    expect(leakIds.map(status)).toEqual(['skipped', 'skipped', 'skipped']);
    expect(finding('leaks.containers')?.evidence).toContain('An agent is running');
    expect([status('containerd.reachable'), repairs]).toEqual(['ok', []]);
    busy.child.kill('SIGINT');
    expect((await busy.ended).code).toBe(130);
  });

  it('tells who may read the credential', async () => {
    const file = join(install.state, 'identity');
    chmodSync(file, 0o644);
    expect((await look(install, '--only', 'state.directory')).report.findings).toMatchObject([
      { id: 'state.directory', status: 'warning', remedy: `Run: chmod 600 ${file}` },
    ]);
    chmodSync(file, 0o600);
  });

  it('ends with 1 when containerd does not answer, and says so once', async () => {
    const { code, status, report } = await look(install, '--containerd', '/nowhere/containerd.sock');
    expect([code, status('containerd.reachable')]).toEqual([1, 'problem']);
    expect(status('leaks.containers')).toBe('skipped');
    expect(report.findings.filter((one) => one.status === 'problem')).toHaveLength(1);
  });

  it('refuses a check that there is not, and lists those there are', async () => {
    const { code, stderr } = await install.run('doctor', '--only', 'disk.moon');
    expect([code, stderr]).toEqual([2, expect.stringContaining('containerd.reachable')]);
  });

  it('shows people the worst first, with what to do', async () => {
    const { stdout } = await install.run('doctor', '--containerd', '/nowhere/containerd.sock');
    expect(stdout.indexOf('Problems')).toBe(0);
    expect(stdout).toMatch(/ {2}containerd\.reachable – .*\n {6}containerd does not answer\.\n.*\n {6}→ Check that/);
  });
});

describe('the doctor of an enrolled agent', () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function enrolledAt(url: string): Promise<TestInstall> {
    const install = new TestInstall();
    closers.push(() => install.close());
    mkdirSync(install.state, { recursive: true });
    const credential = 'good';
    writeFarmConfig(install.state, { url, agentId: 'agt_1', credential, name: 'soil', pool: 'linux', slots: 1 });
    return install;
  }

  const only = ['farm.reachable', 'farm.tls', 'farm.credential', 'clock.skew'].flatMap((id) => ['--only', id]);
  const api =
    (options: { skewMs?: number; credential?: string } = {}): RequestListener =>
    (request, response) => {
      response.setHeader('date', new Date(Date.now() + (options.skewMs ?? 0)).toUTCString());
      const isKnown = request.headers.authorization === `Bearer ${options.credential ?? 'good'}`;
      const isSelf = request.url === '/api/v1/agent/self';
      response.writeHead(isSelf && !isKnown ? 401 : 200).end('{}');
    };
  /** An address where nobody listens any more. */
  async function deserted(): Promise<string> {
    const server = createHttp().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return `127.0.0.1:${port}`;
  }
  async function serve(listener: RequestListener): Promise<string> {
    const server = createHttp(listener).listen(0, '127.0.0.1');
    closers.push(() => server.close());
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('finds a farm that answers, knows it and has the same time in order', async () => {
    const install = await enrolledAt(await serve(api()));
    const { status, finding } = await look(install, ...only);
    expect([status('farm.reachable'), status('farm.credential'), status('clock.skew'), status('farm.tls')]).toEqual([
      'ok',
      'ok',
      'ok',
      'skipped',
    ]);
    expect(finding('farm.credential')?.evidence).not.toContain('good');
  });

  it('tells a revoked credential and a clock that is wrong', async () => {
    const install = await enrolledAt(await serve(api({ credential: 'another', skewMs: 3_600_000 })));
    const { code, status, finding } = await look(install, ...only);
    expect([code, status('farm.credential'), status('clock.skew')]).toEqual([1, 'problem', 'problem']);
    expect(finding('clock.skew')?.evidence).toMatch(/(59|60) min \d+ s behind/);
  });

  it('tells a configuration that cannot be read, and goes on', async () => {
    const install = await enrolledAt('http://127.0.0.1:9');
    writeFileSync(join(install.state, 'config.json'), '{', { mode: 0o600 });
    const { code, status, finding } = await look(install);
    expect([code, status('farm.credential'), status('containerd.reachable')]).toEqual([1, 'problem', 'ok']);
    expect(finding('farm.credential')?.evidence).toContain('it is not JSON');
  });

  it('tells a farm that is not there', async () => {
    const install = await enrolledAt(`http://${await deserted()}`);
    const { finding } = await look(install, ...only);
    expect(finding('farm.reachable')).toMatchObject({
      status: 'problem',
      evidence: expect.stringContaining('ECONNREFUSED'),
    });
    expect(finding('farm.credential')?.status).toBe('unknown');
  });

  it('shows the chain of a certificate that the host does not trust, and sends nothing over it', async () => {
    const asked: string[] = [];
    const place = new TestInstall();
    closers.push(() => place.close());
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(place.home, name)) as [string, string];
    const subject = ['-nodes', '-subj', '/CN=farm.test', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '30'];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-keyout', key, '-out', cert, ...subject], {
      stdio: 'ignore',
    });
    const server = createHttps({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
      asked.push(request.url ?? '');
      api()(request, response);
    }).listen(0, '127.0.0.1');
    closers.push(() => server.close());
    await once(server, 'listening');
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const install = await enrolledAt(url);
    const { finding, status } = await look(install, ...only);
    expect(finding('farm.tls')).toMatchObject({
      status: 'problem',
      evidence: expect.stringMatching(/farm\.test \(until .*DEPTH_ZERO_SELF_SIGNED_CERT/),
      remedy: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    expect(status('farm.reachable')).toBe('skipped');
    expect(asked).toEqual([]);

    process.env['NODE_EXTRA_CA_CERTS'] = cert;
    closers.push(() => delete process.env['NODE_EXTRA_CA_CERTS']);
    const trusted = await look(install, ...only);
    expect([trusted.status('farm.tls'), trusted.status('farm.reachable')]).toEqual(['ok', 'ok']);
  });

  it('says which registries do not answer only when it is asked', async () => {
    const url = await serve((_, response) => response.writeHead(401).end());
    const install = await enrolledAt(url);
    const nobody = await deserted();
    const registries = { [new URL(url).host]: {}, [nobody]: {} };
    writeFileSync(join(install.state, 'registries.json'), JSON.stringify(registries), { mode: 0o600 });
    const { evidence } = (await look(install, '--only', 'registries.reachable')).finding('registries.reachable') ?? {};
    expect(evidence).toContain(`${new URL(url).host}: 401`);
    expect(evidence).toContain(`${nobody}: connect ECONNREFUSED`);
  });
});
