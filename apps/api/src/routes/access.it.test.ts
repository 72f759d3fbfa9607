import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ContextReceipt, Problem } from '@loam/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startFarmHost, type FarmHost, type TestFarm } from '../testing/farm.ts';

let host: FarmHost;
let farm: TestFarm;
beforeAll(async () => {
  host = await startFarmHost();
  farm = await host.farm({ blobBytesMax: 1000 });
});
afterAll(() => host.close());

const digestOf = (bytes: Uint8Array | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

describe('who may come in', () => {
  test('without or with a wrong token nothing is answered, and nothing is told', async () => {
    const none = await farm.app.inject({ url: '/api/v1/builds' });
    expect([none.statusCode, none.json<Problem>().code]).toEqual([401, 'api.not-authenticated']);
    const wrong = await farm.call('GET', '/builds', undefined, { authorization: 'Bearer loam_wrong' });
    expect([wrong.statusCode, wrong.json<Problem>().code]).toEqual([401, 'api.bad-token']);
  });

  test('a session from a token reads; it writes only from our own pages; it ends when it is logged out or its token revoked', async () => {
    const made = (await farm.call('POST', '/tokens', { name: 'mine' })).json<{ id: string; token: string }>();
    const login = await farm.app.inject({ method: 'POST', url: '/api/v1/session', payload: { token: made.token } });
    expect(login.headers['set-cookie']).toMatch(/HttpOnly; SameSite=Strict/);
    const cookie = String(login.headers['set-cookie']).split(';')[0] as string;
    const post = (headers: Record<string, string>) =>
      farm.app.inject({
        method: 'POST',
        url: '/api/v1/specs/check',
        headers: { cookie, host: 'farm:7700', ...headers },
        payload: { spec: '((from a))' },
      });
    expect((await farm.app.inject({ url: '/api/v1/me', headers: { cookie } })).json()).toMatchObject({ name: 'mine' });
    expect((await post({ origin: 'http://farm:7700' })).statusCode).toBe(200);
    expect((await post({ origin: 'http://evil.example' })).json<Problem>().code).toBe('api.foreign-origin');
    expect((await post({})).json<Problem>().code).toBe('api.foreign-origin');
    await farm.call('DELETE', `/tokens/${made.id}`);
    expect((await farm.app.inject({ url: '/api/v1/me', headers: { cookie } })).statusCode).toBe(401);
  });

  test('behind a proxy with TLS the session is for HTTPS alone, whichever way it was opened', async () => {
    const direct = await host.farm({ publicUrl: 'https://farm.example' });
    const cookieFor = async (headers: Record<string, string>): Promise<string> => {
      const { code } = await direct.services.access.createLoginCode('owner');
      const link = await direct.app.inject({ url: `/login?code=${code}`, headers });
      const payload = { token: direct.token };
      const form = await direct.app.inject({ method: 'POST', url: '/api/v1/session', headers, payload });
      const isSecure = [link, form].map(({ headers: given }) => String(given['set-cookie']).endsWith('; Secure'));
      expect(isSecure[0]).toBe(isSecure[1]);
      return isSecure[0] ? 'secure' : 'open';
    };
    expect(await cookieFor({ host: 'farm.example' })).toBe('secure');
    expect(await cookieFor({ host: 'other.example', 'x-forwarded-proto': 'https' })).toBe('secure');
    expect(await cookieFor({ host: '127.0.0.1:7700' })).toBe('open');
  });

  test('tries are counted for whom a trusted proxy asks, and for the proxy that is not trusted', async () => {
    const triesLeft = async (farmOf: TestFarm, client: string): Promise<number> => {
      const headers = { 'x-forwarded-for': client };
      const answer = await farmOf.app.inject({ url: '/login?code=loamlog_x', headers, remoteAddress: '10.9.0.1' });
      return Number(answer.headers['x-ratelimit-remaining']);
    };
    const trusting = await host.farm({ trustedProxies: ['10.9.0.0/16'] });
    const first = await triesLeft(trusting, '192.0.2.1');
    expect(first).toBeGreaterThan(1);
    expect(await triesLeft(trusting, '192.0.2.1')).toBe(first - 1);
    expect(await triesLeft(trusting, '192.0.2.2')).toBe(first);
    const wary = await host.farm();
    await triesLeft(wary, '192.0.2.1');
    expect(await triesLeft(wary, '192.0.2.2')).toBe(first - 1);
  });

  test("a websocket with a cookie opens from our own pages alone; an agent's credential opens no user's door", async () => {
    const { cookie } = await farm.services.access.logIn(farm.token);
    const url = await farm.listen();
    const open = (headers: Record<string, string>): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/live`, { headers } as never);
        socket.addEventListener('open', () => (socket.close(), resolve(true)));
        socket.addEventListener('error', () => resolve(false));
      });
    expect(await open({ cookie: `loam_session=${cookie}`, origin: url })).toBe(true);
    expect(await open({ cookie: `loam_session=${cookie}`, origin: 'http://evil.example' })).toBe(false);
    expect(await open({})).toBe(false);
    const { credential } = await farm.enrol();
    expect((await farm.call('GET', '/builds', undefined, { authorization: `Bearer ${credential}` })).statusCode).toBe(
      401,
    );
  });

  test('what is not there is a problem document too, and no error shows a stack', async () => {
    const response = await farm.call('GET', '/nothing');
    expect([response.statusCode, response.json<Problem>().code]).toEqual([404, 'api.no-such-endpoint']);
    expect(response.json<Problem>().requestId).toMatch(/^req_/);
    expect(response.body).not.toContain('.ts');
    const broken = await farm.call('GET', '/builds/%ff');
    expect([broken.statusCode, broken.json<Problem>().code]).toEqual([400, 'api.invalid-request']);
    expect(broken.json<Problem>().requestId).toMatch(/^req_/);
  });

  test('what a request may choose from is named, and once', async () => {
    const { detail } = (await farm.call('GET', '/builds?state=lost')).json<Problem>();
    expect(detail).toBe(
      'The request is not valid: querystring/state must be one of "queued", "running", "succeeded", "failed", "cancelled".',
    );
    const missing = (await farm.call('POST', '/builds', {})).json<Problem>();
    expect(missing.detail).toBe('The request is not valid: body must have required properties spec.');
  });
});

describe('contexts and blobs', () => {
  const content = Buffer.from('int main(void) { return 0; }\n');
  const digest = digestOf(content);
  const entry = { kind: 'file', path: 'src/main.c', mode: 0o644, sizeBytes: content.length, digest };
  const octets = { 'content-type': 'application/octet-stream' };

  test('a context names what is missing; what is uploaded is not asked for again; an agent gets exactly it', async () => {
    const first = (
      await farm.call('POST', '/contexts', { entries: [entry, { kind: 'directory', path: 'src', mode: 0o755 }] })
    ).json<ContextReceipt>();
    expect(first.missing).toEqual([digest]);
    const spec = '((from a:1) (copy (src src) (dst /src)))';
    const early = await farm.call('POST', '/builds', { spec, context: first.digest });
    expect(early.json<Problem>().code).toBe('api.context-incomplete');
    expect((await farm.call('PUT', `/blobs/${digest}`, content, octets)).statusCode).toBe(204);
    expect((await farm.call('PUT', `/blobs/${digest}`, content, octets)).statusCode).toBe(204);
    const again = (
      await farm.call('POST', '/contexts', { entries: [{ kind: 'directory', path: 'src', mode: 0o755 }, entry] })
    ).json<ContextReceipt>();
    expect(again).toEqual({ digest: first.digest, missing: [] });
    expect((await farm.call('POST', '/builds', { spec, context: first.digest })).statusCode).toBe(201);

    const { credential } = await farm.enrol();
    const asAgent = (path: string, headers = {}) =>
      farm.call('GET', `/agent${path}`, undefined, { authorization: `Bearer ${credential}`, ...headers });
    const manifest = await asAgent(`/contexts/${first.digest}`);
    expect(digestOf(manifest.body)).toBe(first.digest);
    expect((await asAgent(`/blobs/${digest}`)).rawPayload).toEqual(content);
    const part = await asAgent(`/blobs/${digest}`, { range: 'bytes=4-7' });
    expect([part.statusCode, part.body, part.headers['content-range']]).toEqual([
      206,
      'main',
      `bytes 4-7/${content.length}`,
    ]);
    expect((await asAgent(`/blobs/${digest}`, { range: 'bytes=999-' })).statusCode).toBe(416);
  });

  describe('many blobs in one request', () => {
    const frame = (bytes: string, name = digestOf(bytes)): string => `${name} ${Buffer.byteLength(bytes)}\n${bytes}`;
    const post = (body: string) => farm.call('POST', '/blobs', Buffer.from(body), octets);

    test('are stored each under its digest, an empty one and one that came twice included', async () => {
      const texts = ['alpha\n', '', 'beta', 'alpha\n', `${digestOf('x')} 1\nx`];
      expect((await post(texts.map((text) => frame(text)).join(''))).statusCode).toBe(204);
      for (const text of texts) expect((await farm.services.blobs.read(digestOf(text))).toString()).toBe(text);
      const entries = texts.map((text, n) => ({
        ...entry,
        path: `t${n}`,
        sizeBytes: text.length,
        digest: digestOf(text),
      }));
      expect((await farm.call('POST', '/contexts', { entries })).json<ContextReceipt>().missing).toEqual([]);
    });

    test.each([
      ['wrong bytes', frame('no', digestOf('yes')), 'api.blob-mismatch'],
      ['an end in the middle', frame('whole').slice(0, -1), 'api.bad-blobs'],
      ['no header', 'x'.repeat(500), 'api.bad-blobs'],
      ['a size that is none', `${digestOf('a')} -1\na`, 'api.bad-blobs'],
      ['one that should travel alone', `${digestOf('a')} 99999999\na`, 'api.bad-blobs'],
    ])('%s is refused, what came before is there', async (what, rest, code) => {
      const good = `before ${what}`;
      const response = await post(frame(good) + rest);
      expect([response.statusCode, response.json<Problem>().code]).toEqual([422, code]);
      const entries = [{ ...entry, sizeBytes: good.length, digest: digestOf(good) }];
      expect((await farm.call('POST', '/contexts', { entries })).json<ContextReceipt>().missing).toEqual([]);
    });
  });

  test.each([
    ['wrong bytes', Buffer.from('x'), 422, 'api.blob-mismatch'],
    ['too many bytes', Buffer.alloc(1001), 413, 'api.too-large'],
  ])('%s are refused, and nothing is stored', async (_what, bytes, status, code) => {
    const wanted = digestOf(bytes.length > 1000 ? bytes : 'y');
    const response = await farm.call('PUT', `/blobs/${wanted}`, bytes, octets);
    expect([response.statusCode, response.json<Problem>().code]).toEqual([status, code]);
    expect(await farm.services.blobs.size(wanted)).toBeUndefined();
  });

  test.each(['../etc/passwd', '/abs', 'a//b', 'a/./b'])('the path %s is refused', async (path) => {
    const response = await farm.call('POST', '/contexts', { entries: [{ ...entry, path }] });
    expect([response.statusCode, response.json<Problem>().code]).toEqual([422, 'api.bad-context']);
  });

  test('what nothing used for long is dropped, what a queued build needs is kept', async () => {
    const own = await host.farm({ timing: { keepUploadsMs: -60_000 } });
    const receipt = (await own.call('POST', '/contexts', { entries: [entry] })).json<ContextReceipt>();
    await own.call('PUT', `/blobs/${digest}`, content, octets);
    const spec = '((from a:1) (copy (src src) (dst /src)))';
    const { id } = (await own.call('POST', '/builds', { spec, context: receipt.digest })).json<{ id: string }>();
    await own.services.janitor.dropUploads();
    expect(await own.services.blobs.size(digest)).toBe(content.length);
    await own.call('POST', `/builds/${id}/cancel`);
    await own.services.janitor.dropUploads();
    expect([await own.services.blobs.size(digest), await own.services.blobs.size(receipt.digest)]).toEqual([
      undefined,
      undefined,
    ]);
  });
});

describe('the web', () => {
  test('a missing web UI says so on one page; health, docs and the API document need nobody', async () => {
    const home = await farm.app.inject({ url: '/' });
    expect([home.statusCode, home.body.includes('not built')]).toEqual([503, true]);
    for (const path of ['/healthz', '/readyz', '/docs', '/api/v1/openapi.json', '/metrics']) {
      expect((await farm.app.inject({ url: path })).statusCode).toBe(200);
    }
  });

  test('pages of ours load nothing from elsewhere, and their one style is the one that the policy names', async () => {
    const docs = await farm.app.inject({ url: '/docs' });
    const policy = String(docs.headers['content-security-policy']);
    const [, style = ''] = /<style>([^]*?)<\/style>/.exec(docs.body) ?? [];
    expect(policy).toContain(`style-src 'self' 'sha256-${createHash('sha256').update(style).digest('base64')}';`);
    expect(policy).not.toMatch(/data:|(?<!style-src-attr )'unsafe-inline'|unsafe-eval|https?:/);
    expect(docs.body).not.toMatch(/<script|src=|url\(|@import|<link/);
  });

  test('/login without a code, or with one that is spent, leads to the form', async () => {
    const bare = await farm.app.inject({ url: '/login' });
    expect([bare.statusCode, bare.headers.location]).toEqual([302, '/log-in']);
    const wrong = await farm.app.inject({ url: '/login?code=x' });
    expect(wrong.statusCode).toBe(401);
    expect(wrong.body).toContain('<a href="/log-in">');
  });

  test('a built one is served with a policy, hashed files for ever, and its page for paths of its own', async () => {
    const web = await mkdtemp(join(tmpdir(), 'loam-web-'));
    await mkdir(join(web, 'assets'));
    await writeFile(join(web, 'index.html'), '<!doctype html><title>Loam</title>');
    await writeFile(join(web, 'assets', 'app-1a2b.js'), 'true');
    await writeFile(join(web, 'icon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
    const own = await host.farm({ webDirectory: web });
    const deep = await own.app.inject({ url: '/builds/bld_1', headers: { accept: 'text/html' } });
    expect([deep.statusCode, deep.body]).toEqual([200, '<!doctype html><title>Loam</title>']);
    expect(deep.headers['content-security-policy']).toContain("default-src 'self'");
    expect((await own.app.inject({ url: '/assets/app-1a2b.js' })).headers['cache-control']).toContain('immutable');
    // Asked for by browsers that show an answer of the API or /docs.
    const icon = await own.app.inject({ url: '/favicon.ico', headers: { accept: 'image/*' } });
    expect([icon.statusCode, icon.headers['content-type']]).toEqual([200, 'image/svg+xml']);
    // Paths of the API are never the web's, whoever asks.
    const headers = { accept: 'text/html', authorization: `Bearer ${own.token}` };
    const none = await own.app.inject({ url: '/api/v1/none', headers });
    expect([none.statusCode, none.json<Problem>().code]).toEqual([404, 'api.no-such-endpoint']);
  });

  test('the API document says of each endpoint what it answers and how it refuses, and is this one', async () => {
    const document = (await farm.app.inject({ url: '/api/v1/openapi.json' })).json<{
      paths: Record<string, Record<string, { summary?: string; responses: Record<string, { content?: object }> }>>;
    }>();
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, { summary, responses }] of Object.entries(methods)) {
        const statuses = Object.keys(responses);
        expect([method, path, summary === undefined]).toEqual([method, path, false]);
        expect([method, path, statuses.some((status) => status.startsWith('2'))]).toEqual([method, path, true]);
        for (const status of ['4XX', '5XX']) {
          expect([method, path, Object.keys(responses[status]?.content ?? {})]).toEqual([
            method,
            path,
            ['application/problem+json'],
          ]);
        }
        // The default answer of the document's generator: a route that forgot its own.
        expect(responses['200']).not.toEqual({ description: 'Default Response' });
      }
    }
    await expect(`${JSON.stringify(document, null, 1)}\n`).toMatchFileSnapshot('testdata/openapi.json');
  });

  test('the metrics tell what an operator asks', async () => {
    const { body } = await farm.app.inject({ url: '/metrics' });
    for (const name of [
      'builds',
      'builds_waiting',
      'agents',
      'attempts_lost_total',
      'log_bytes_total',
      'viewers',
      'http_request_seconds',
    ]) {
      expect(body).toContain(`# TYPE loam_${name} `);
    }
  });

  test('the API document lists these endpoints', async () => {
    const document = (await farm.app.inject({ url: '/api/v1/openapi.json' })).json<{ paths: Record<string, object> }>();
    const endpoints = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(endpoints).toMatchInlineSnapshot(`
      [
        "POST /api/v1/builds",
        "GET /api/v1/builds",
        "GET /api/v1/builds/{id}",
        "POST /api/v1/builds/{id}/cancel",
        "POST /api/v1/builds/{id}/retry",
        "GET /api/v1/logs/{id}",
        "POST /api/v1/specs/check",
        "POST /api/v1/plans",
        "POST /api/v1/contexts",
        "PUT /api/v1/blobs/{digest}",
        "POST /api/v1/blobs",
        "GET /api/v1/cache",
        "GET /api/v1/cache/{id}",
        "DELETE /api/v1/cache/{id}",
        "GET /api/v1/agents",
        "GET /api/v1/agents/{id}",
        "PATCH /api/v1/agents/{id}",
        "GET /api/v1/agents/{id}/doctor",
        "POST /api/v1/agents/{id}/doctor",
        "POST /api/v1/agents/{id}/revoke",
        "POST /api/v1/enrolment-tokens",
        "GET /api/v1/enrolment-tokens/{id}",
        "GET /api/v1/downloads",
        "GET /api/v1/downloads/{name}",
        "GET /api/v1/secrets",
        "PUT /api/v1/secrets/{name}",
        "DELETE /api/v1/secrets/{name}",
        "GET /api/v1/me",
        "GET /api/v1/tokens",
        "POST /api/v1/tokens",
        "DELETE /api/v1/tokens/{id}",
        "POST /api/v1/session",
        "DELETE /api/v1/session",
        "POST /api/v1/login-links",
        "POST /api/v1/agent/enrol",
        "GET /api/v1/agent/self",
        "GET /api/v1/agent/attempts/{id}/secrets",
        "GET /api/v1/agent/contexts/{digest}",
        "GET /api/v1/agent/blobs/{digest}",
      ]
    `);
  });
});
