import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from '@loam/postgres-server';

const program = '/usr/bin/docker-registry';
const startTimeoutMs = 120_000;

/** What a registry's visitor asked for. */
export interface RegistryRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** An image to push: documents and layers as bytes. */
export interface PushedImage {
  readonly mediaType: string;
  readonly manifest: Uint8Array;
  readonly blobs: readonly Uint8Array[];
}

/** Debian's docker-registry on loopback, behind a front that watches, and breaks what a test wants broken. */
export interface TestRegistry {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** What it lets in, when it was started with `auth`. */
  readonly credentials: { readonly username: string; readonly password: string };
  /** All requests so far. */
  readonly requests: readonly RegistryRequest[];
  push(repository: string, tag: string, image: PushedImage): Promise<void>;
  /** Changes the stored bytes of a blob, keeping their number. */
  corrupt(digest: string): Promise<void>;
  /** Cuts the connection of the next blob that is larger, after that many bytes of it. */
  cutNextBlob(afterBytes: number): void;
  /** Sends blobs from another host name of the same front, as registries with separate storage do. */
  redirectBlobs(): void;
  stop(): Promise<void>;
}

/**
 * Starts a registry. `basic` asks for a password itself (htpasswd); `token` is a front that asks for a bearer token and
 * issues it against the password.
 */
export async function startRegistry(options: { auth?: 'basic' | 'token' } = {}): Promise<TestRegistry> {
  requireProgram();
  const directory = await mkdtemp(join(tmpdir(), 'loam-registry-'));
  const backendPort = await freePort();
  const credentials = { username: 'tester', password: 'secret' };
  // bcrypt of `secret`: the only kind of hash that the registry takes.
  await writeFile(join(directory, 'htpasswd'), 'tester:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n');
  await writeFile(join(directory, 'config.yml'), configuration(directory, backendPort, options.auth === 'basic'));
  const child = spawn(program, ['serve', join(directory, 'config.yml')], { stdio: 'ignore' });
  const killOnExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killOnExit);
  const backend = `http://127.0.0.1:${backendPort}`;
  await untilItAnswers(child, backend);

  const front = new Front(backendPort, options.auth === 'token' ? credentials : undefined);
  await front.listen();
  const pushHeaders = options.auth === 'basic' ? { authorization: basic(credentials) } : {};
  return {
    host: front.host,
    credentials,
    requests: front.requests,
    push: (repository, tag, image) => push(backend, pushHeaders, repository, tag, image),
    async corrupt(digest) {
      const hex = digest.replace('sha256:', '');
      const file = join(directory, 'data/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
      const bytes = await readFile(file);
      bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 0xff;
      await writeFile(file, bytes);
    },
    cutNextBlob: (afterBytes) => (front.cutAfterBytes = afterBytes),
    redirectBlobs: () => (front.redirect = true),
    async stop() {
      process.removeListener('exit', killOnExit);
      await front.close();
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Forwards to the registry, and does what a test asked for on the way. */
class Front {
  readonly requests: RegistryRequest[] = [];
  host = '';
  cutAfterBytes: number | undefined;
  redirect = false;
  readonly #server: Server;
  readonly #backendPort: number;
  readonly #tokenFor: { username: string; password: string } | undefined;
  readonly #token = randomBytes(12).toString('hex');

  constructor(backendPort: number, tokenFor: { username: string; password: string } | undefined) {
    this.#backendPort = backendPort;
    this.#tokenFor = tokenFor;
    this.#server = createServer((req, res) => void this.#handle(req, res));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    this.host = `127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = req.url ?? '/';
    const { authorization, range } = req.headers;
    this.requests.push({ method: req.method ?? '', path, authorization, range });
    if (path.startsWith('/token')) {
      await this.#issueToken(req, res);
      return;
    }
    const storage = path.startsWith('/storage');
    if (this.#tokenFor !== undefined && !storage && authorization !== `Bearer ${this.#token}`) {
      const scope = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(path)?.[1] ?? '';
      const challenge = `Bearer realm="http://${this.host}/token",service="test",scope="repository:${scope}:pull"`;
      res.writeHead(401, { 'www-authenticate': challenge }).end();
      return;
    }
    if (this.redirect && !storage && path.includes('/blobs/')) {
      const elsewhere = this.host.replace('127.0.0.1', 'localhost');
      res.writeHead(307, { location: `http://${elsewhere}/storage${path}` }).end();
      return;
    }
    this.#forward(req, res, storage ? path.slice('/storage'.length) : path);
  }

  #forward(req: IncomingMessage, res: ServerResponse, path: string): void {
    const upstream = request(
      { host: '127.0.0.1', port: this.#backendPort, path, method: req.method, headers: req.headers },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        const cut = this.cutAfterBytes;
        if (cut === undefined || !path.includes('/blobs/') || Number(answer.headers['content-length'] ?? 0) <= cut) {
          answer.pipe(res);
          return;
        }
        this.cutAfterBytes = undefined;
        let sent = 0;
        answer.on('data', (chunk: Buffer) => {
          if (sent >= cut) return;
          const part = chunk.subarray(0, cut - sent);
          sent += part.length;
          res.write(part, () => {
            if (sent >= cut) res.destroy();
          });
        });
      },
    );
    upstream.on('error', () => res.destroy());
    req.pipe(upstream);
  }

  /** As registries' token servers do: a form by POST, or Basic by GET; anonymous callers get nothing here. */
  async #issueToken(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of req) body += String(chunk);
    const form = new URLSearchParams(body);
    const wanted = this.#tokenFor;
    const byForm = form.get('username') === wanted?.username && form.get('password') === wanted?.password;
    const byHeader = wanted !== undefined && req.headers.authorization === basic(wanted);
    if (!byForm && !byHeader) {
      res.writeHead(401).end();
      return;
    }
    res.writeHead(200, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ token: this.#token, expires_in: 300 }));
  }
}

function configuration(directory: string, port: number, withPassword: boolean): string {
  const auth = withPassword ? ['auth:', '  htpasswd:', '    realm: test', `    path: ${directory}/htpasswd`] : [];
  return [
    'version: 0.1',
    'log: { level: error, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${directory}/data } }`,
    `http: { addr: "127.0.0.1:${port}" }`,
    ...auth,
    '',
  ].join('\n');
}

function requireProgram(): void {
  try {
    accessSync(program, constants.X_OK);
  } catch (error) {
    throw new Error('docker-registry is not installed: apt-get install docker-registry', { cause: error });
  }
}

async function untilItAnswers(child: ChildProcess, base: string): Promise<void> {
  const giveUpAt = performance.now() + startTimeoutMs;
  for (;;) {
    if (child.exitCode !== null) throw new Error('docker-registry ended at its start');
    try {
      const response = await fetch(`${base}/v2/`);
      await response.body?.cancel();
      return;
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function push(
  base: string,
  headers: Record<string, string>,
  repository: string,
  tag: string,
  image: PushedImage,
): Promise<void> {
  const expectOk = async (response: Response): Promise<Response> => {
    if (!response.ok) throw new Error(`push: ${response.status} ${await response.text()}`);
    await response.body?.cancel();
    return response;
  };
  for (const blob of image.blobs) {
    const begun = await expectOk(await fetch(`${base}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers }));
    const url = new URL(begun.headers.get('location') ?? '', base);
    url.searchParams.set('digest', `sha256:${createHash('sha256').update(blob).digest('hex')}`);
    await expectOk(await fetch(url, { method: 'PUT', headers, body: Buffer.from(blob) }));
  }
  await expectOk(
    await fetch(`${base}/v2/${repository}/manifests/${tag}`, {
      method: 'PUT',
      headers: { ...headers, 'content-type': image.mediaType },
      body: Buffer.from(image.manifest),
    }),
  );
}

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
