import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { TestInstall } from '../testing/agent-process.ts';
import { authorityFile } from './trust-authority.ts';

let install: TestInstall;
let farm: Server;
beforeEach(async () => {
  install = new TestInstall();
  const subject = ['-nodes', '-subj', '/CN=farm', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
  const files = ['-keyout', join(install.home, 'key.pem'), '-out', join(install.home, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ed25519', ...files, ...subject], { stdio: 'ignore' });
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => readFileSync(join(install.home, name)));
  farm = createServer({ key, cert }, (_, response) => response.writeHead(404).end()).listen(0, 'localhost');
  await once(farm, 'listening');
});
afterEach(async () => {
  farm.close();
  await install.close();
});

it('a farm behind an authority of its own is trusted when the certificate lies in the state directory', async () => {
  const url = `https://localhost:${(farm.address() as AddressInfo).port}`;
  const ask = async (): Promise<string> =>
    (await install.start('enrol', '--url', url, '--token', 'spent', '--json').ended).stderr;
  let asked = 0;
  farm.on('request', () => (asked += 1));
  await ask();
  expect(asked).toBe(0);
  mkdirSync(install.state, { recursive: true });
  copyFileSync('/etc/hostname', join(install.state, authorityFile));
  expect(await ask()).toContain(`${authorityFile} is of no use`);
  copyFileSync(join(install.home, 'cert.pem'), join(install.state, authorityFile));
  await ask();
  expect(asked).toBeGreaterThan(0);
});
