import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';

const home = mkdtempSync(join(tmpdir(), 'loam-link-'));
const cert = join(home, 'cert.pem');
let farm: HttpsServer;
let asked: string[];
/** Leads everywhere to the farm, whatever it is called. */
const proxy = createHttp();
const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;

beforeAll(async () => {
  const key = join(home, 'key.pem');
  const subject = ['-nodes', '-subj', '/CN=farm.invalid', '-addext', 'subjectAltName=DNS:farm.invalid,IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-keyout', key, '-out', cert, ...subject], {
    stdio: 'ignore',
  });
  const answer: RequestListener = (_, response) => response.writeHead(418).end();
  farm = createHttps({ key: readFileSync(key), cert: readFileSync(cert) }, answer);
  new WebSocketServer({ server: farm }).on('connection', (socket) => socket.send('{"type":"doctor"}'));
  proxy.on('connect', ({ url }, socket) => {
    asked.push(url ?? '');
    const onward = connect(portOf(farm), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [onward, socket]) end.on('error', () => undefined);
  });
  for (const server of [farm, proxy]) await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(() => {
  for (const server of [farm, proxy]) server.close();
  rmSync(home, { recursive: true });
});
beforeEach(() => (asked = []));

const linkTo = (url: string): string => `
    import { webSocketLinks } from './link.ts';
    const link = webSocketLinks('${url}', 'credential')({
      onOpen: () => undefined,
      onAlive: () => undefined,
      onMessage(message) { console.log(message.type); link.close(); },
      onClose: ({ code, reason }) => console.log(code, reason),
    });`;

/** Runs a script in a process of its own, since Node reads at its start whether there is a proxy, and gives what it printed. */
async function printedBy(script: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: cert,
      NODE_USE_ENV_PROXY: '1',
      HTTPS_PROXY: `http://127.0.0.1:${portOf(proxy)}`,
      NO_PROXY: '127.0.0.1',
    },
    cwd: import.meta.dirname,
  });
  return stdout;
}

test('the link goes through the proxy that the environment names, but to hosts that it leaves out', async () => {
  expect(await printedBy(linkTo('https://farm.invalid'))).toMatch(/^doctor\n/);
  expect(asked).toEqual(['farm.invalid:443']);
  expect(await printedBy(linkTo(`https://127.0.0.1:${portOf(farm)}`))).toMatch(/^doctor\n/);
  expect(asked).toEqual(['farm.invalid:443']);
});

test('the doctor asks the farm on the way that the link takes', async () => {
  const script = `
    import { askFarm } from '../doctor/checks/farm-request.ts';
    console.log((await askFarm('https://farm.invalid/readyz', Date.now)).status);`;
  expect(await printedBy(script)).toBe('418\n');
  expect(asked).toEqual(['farm.invalid:443']);
});
