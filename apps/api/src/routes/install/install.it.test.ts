import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Downloads, EnrolmentToken, EnrolmentTokenState, Problem } from '@loam/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startFarmHost, type FarmHost, type TestFarm } from '../../testing/farm.ts';

let host: FarmHost;
let farm: TestFarm;
let directory: string;
const content = Buffer.from('the agent, as one file');
const sha256 = createHash('sha256').update(content).digest('hex');
const name = 'loam-agent-linux-x64';
const path = `/api/v1/downloads/${name}`;

beforeAll(async () => {
  host = await startFarmHost();
  directory = await mkdtemp(join(tmpdir(), 'loam-packages-'));
  await writeFile(join(directory, name), content);
  const file = { platform: 'linux-x64', name, size: content.length, sha256 };
  const halfBuilt = { platform: 'windows-x64', name: 'loam-agent-windows-x64.exe', size: 5, sha256 };
  await writeFile(join(directory, 'manifest.json'), JSON.stringify({ version: '1.2.3', files: [file, halfBuilt] }));
  await writeFile(join(directory, 'ca.pem'), '-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n');
  farm = await host.farm({ packagesDirectory: directory, publicCaFile: join(directory, 'ca.pem') });
});
afterAll(async () => {
  await host.close();
  await rm(directory, { recursive: true, force: true });
});

const get = (url: string, headers: Record<string, string> = {}) => farm.app.inject({ url, headers });

describe('packages of the agent', () => {
  test('are listed for everybody, those alone whose file is there, whole', async () => {
    expect((await get('/api/v1/downloads')).json<Downloads>()).toEqual({
      version: '1.2.3',
      items: [{ platform: 'linux-x64', name, sizeBytes: content.length, sha256, url: path }],
      problem: null,
    });
  });

  test('come without a token, with length, digest and tag', async () => {
    const response = await get(path);
    expect([response.statusCode, response.rawPayload]).toEqual([200, content]);
    expect(response.headers).toMatchObject({
      'content-length': String(content.length),
      'x-checksum-sha256': sha256,
      'repr-digest': `sha-256=:${createHash('sha256').update(content).digest('base64')}:`,
      etag: `"${sha256}"`,
      'accept-ranges': 'bytes',
    });
    expect((await get(path, { 'if-none-match': `"${sha256}"` })).statusCode).toBe(304);
  });

  test('go on where a download broke off, unless it was of another version', async () => {
    const rest = await get(path, { range: 'bytes=10-' });
    expect([rest.statusCode, rest.body, rest.headers['content-range']]).toEqual([
      206,
      content.toString().slice(10),
      `bytes 10-${content.length - 1}/${content.length}`,
    ]);
    expect((await get(path, { range: 'bytes=10-', 'if-range': `"${sha256}"` })).statusCode).toBe(206);
    expect((await get(path, { range: 'bytes=10-', 'if-range': '"older"' })).rawPayload).toEqual(content);
    const beyond = await get(path, { range: 'bytes=99-' });
    expect([beyond.statusCode, beyond.json<Problem>().code]).toEqual([416, 'api.bad-range']);
  });

  test.each(['manifest.json', 'ca.pem', '..%2Fmanifest.json', 'loam-agent-windows-x64.exe'])(
    '%s is no package and is not given away',
    async (other) => {
      const response = await get(`/api/v1/downloads/${other}`);
      expect([response.statusCode, response.json<Problem>().code]).toEqual([404, 'api.download-unknown']);
    },
  );

  test.each([
    ['no manifest', undefined],
    ['a manifest that is no JSON', '{'],
    [
      'a manifest with a path for a name',
      '{"version":"1","files":[{"platform":"linux-x64","name":"../x","size":1,"sha256":""}]}',
    ],
    [
      'a manifest of files that are not there',
      JSON.stringify({ version: '1', files: [{ platform: 'linux-x64', name, size: 3, sha256 }] }),
    ],
  ])('%s is a problem that says what to do', async (_what, manifest) => {
    const empty = await mkdtemp(join(tmpdir(), 'loam-packages-'));
    if (manifest !== undefined) await writeFile(join(empty, 'manifest.json'), manifest);
    const own = await host.farm({ packagesDirectory: empty });
    const listed = (await own.app.inject({ url: '/api/v1/downloads' })).json<Downloads>();
    expect([listed.items, listed.problem?.code]).toEqual([[], 'api.packages-missing']);
    expect(listed.problem?.remedy).toContain('npm run package');
    const fetched = await own.app.inject({ url: path });
    expect([fetched.statusCode, fetched.json<Problem>().code]).toEqual([503, 'api.packages-missing']);
    const script = (await own.app.inject({ url: '/install.sh' })).body;
    expect(script).toMatch(/\nPACKAGE_PROBLEM='This farm has no packages/);
    await rm(empty, { recursive: true, force: true });
  });
});

describe('install scripts', () => {
  test('know the farm and the digest of its package', async () => {
    const { body, headers } = await get('/install.sh', { host: 'farm.lan:7700' });
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(body).toContain("\nFARM_URL='http://farm.lan:7700'\n");
    expect(body).toContain(`\nPACKAGE_SHA256='${sha256}'\n`);
    const windows = (await get('/install.ps1', { host: 'farm.lan:7700', 'x-forwarded-proto': 'https' })).body;
    expect(windows).toContain("\n$FarmUrl = 'https://farm.lan:7700'\n");
    expect(windows).toContain("\n$PackageProblem = 'this farm has no package for windows-x64'\n");
  });

  test('name the farm as agents will write it down, so that the next run knows it again', async () => {
    expect((await get('/install.sh', { host: 'Farm.LAN:80' })).body).toContain("\nFARM_URL='http://farm.lan'\n");
  });

  test('take the address from the setting, whatever the request says', async () => {
    const own = await host.farm({ publicUrl: 'https://farm.example' });
    const { body } = await own.app.inject({ url: '/install.sh', headers: { host: 'evil.example' } });
    expect(body).toContain("\nFARM_URL='https://farm.example'\n");
    expect((await own.app.inject({ url: '/install-ca.pem' })).statusCode).toBe(404);
  });

  test.each(["a'; reboot #", 'a b', '$(reboot)', 'a/../b?c', 'a/b', 'a:99999'])(
    'a host named %s gets no script',
    async (evil) => {
      const response = await get('/install.sh', { host: evil });
      expect([response.statusCode, response.json<Problem>().code]).toEqual([400, 'api.bad-host']);
    },
  );
});

describe('an enrolment token', () => {
  test('comes with the lines to paste, and tells later what became of it, but never itself again', async () => {
    const body = { pool: 'windows-ltsc2022', slots: 3, isolation: 'hyperv' };
    const made = (await farm.call('POST', '/enrolment-tokens', body, { host: 'farm.lan' })).json<EnrolmentToken>();
    expect(made).toMatchObject({ url: 'http://farm.lan', isPlainHttp: true });
    const ca = createHash('sha256')
      .update((await get('/install-ca.pem')).body)
      .digest('hex');
    for (const line of [made.commands.linux, made.commands.windows]) {
      for (const part of [made.token, ca, 'http://farm.lan/install.']) expect(line).toContain(part);
    }
    expect(made.commands.windows).toContain('-Slots 3 -Isolation hyperv');
    const state = async () => (await farm.call('GET', `/enrolment-tokens/${made.id}`)).json<EnrolmentTokenState>();
    const { id, pool, expiresAt } = made;
    expect(await state()).toEqual({ id, pool, expiresAt, usedAt: null, agent: null });
    await farm.call('POST', '/agent/enrol', { token: made.token, name: 'soil-9' });
    expect(await state()).toMatchObject({ usedAt: expect.any(Number), agent: { name: 'soil-9', pool } });
    expect(JSON.stringify(await state()) + farm.lines.join('')).not.toContain(made.token);
  });

  test('asks who wants to know, and knows only what there is', async () => {
    expect((await get('/api/v1/enrolment-tokens/x')).statusCode).toBe(401);
    const unknown = await farm.call('GET', '/enrolment-tokens/enr_none');
    expect([unknown.statusCode, unknown.json<Problem>().code]).toEqual([404, 'api.enrolment-token-unknown']);
  });
});
