import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request as forward } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { EnrolmentToken } from '@loam/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { TestFarm } from '../../testing/farm.ts';
import { shell, useInstallSite } from '../../testing/install-site.ts';

const site = useInstallSite();

describe('the install script for Linux', () => {
  test('puts nothing in place whose digest is another one', async () => {
    site.offer('0'.repeat(64));
    const { line } = await site.pastedLine();
    const { code, output } = await shell(line);
    expect(output).toContain('code: install.wrong-digest');
    expect([code, existsSync(site.program()), readdirSync(join(site.root, 'usr/local/lib/loam'))]).toEqual([
      1,
      false,
      [],
    ]);
  });

  test('leaves the agent of another farm as it is, and a host without a token, too', async () => {
    const { line, token } = await site.pastedLine();
    await shell(line);
    writeFileSync(site.program(), 'of another version');
    const other = await shell(`${line} --url ${site.farm.url.replace('127.0.0.1', 'localhost')}`);
    expect([other.code, other.output]).toEqual([1, expect.stringContaining('code: install.other-farm')]);
    expect(readFileSync(site.program(), 'utf8')).toBe('of another version');
    rmSync(site.program());
    rmSync(join(site.state(), 'config.json'));
    const without = await shell(line.replace(token, ''));
    expect([without.code, without.output]).toEqual([1, expect.stringContaining('code: install.no-token')]);
    expect(existsSync(site.program())).toBe(false);
  });

  test('ends with a code also when it was not expected to fail', async () => {
    writeFileSync(join(site.root, 'usr'), 'a file in the way');
    const { code, output } = await shell((await site.pastedLine()).line);
    expect([code === 0, output]).toEqual([false, expect.stringContaining('code: install.failed')]);
    expect((await shell((await site.pastedLine('--what')).line)).output).not.toContain('install.failed');
  });

  test('says that packages were not built, and what to do', async () => {
    writeFileSync(join(site.packages, 'manifest.json'), '{}');
    const { line } = await site.pastedLine();
    const { code, output } = await shell(line);
    expect(output).toMatch(/npm run package[^]*code: install\.no-package/);
    expect([code, readdirSync(site.root)]).toEqual([1, []]);
  });

  test('says that a token was used', async () => {
    const { line, token } = await site.pastedLine();
    await site.farm.call('POST', '/agent/enrol', { token, name: 'another' });
    const { code, output } = await shell(line);
    expect(output).toMatch(/api\.enrolment-refused|This enrolment token is unknown, was used, or has expired/);
    expect(output).toContain('code: install.enrol-failed');
    expect([code, existsSync(join(site.state(), 'config.json'))]).toEqual([1, false]);
  });

  test.each([
    ['--url http://10.1.2.3:7700', 'install.plain-http'],
    ['--url ftp://farm', 'install.no-farm'],
    ['--slots none', 'install.bad-argument'],
    ['--state somewhere', 'install.bad-argument'],
    ['--prefix somewhere', 'install.bad-argument'],
    ['--what', 'install.bad-argument'],
    ['--purge', 'install.bad-argument'],
    ['--ca /nowhere', 'install.bad-ca'],
  ])('%s is refused with %s', async (options, code) => {
    const { line } = await site.pastedLine(options);
    const ended = await shell(line);
    expect(ended.output).toContain(`code: ${code}`);
    expect(ended.code).toBe(1);
  });

  test('runs nothing of a file that came only in part', async () => {
    const whole = (await site.farm.app.inject({ url: '/install.sh' })).body;
    for (const share of [0.3, 0.6, 0.9]) {
      writeFileSync(join(site.root, 'part.sh'), whole.slice(0, whole.length * share));
      const { output } = await shell(`sh ${site.root}/part.sh --root ${site.root}`);
      expect(output).not.toMatch(/Making this host/);
    }
    expect(readdirSync(site.root)).toEqual(['part.sh']);
  });

  describe('behind TLS of a private authority', () => {
    let proxy: Server;
    let secure: TestFarm;
    const directory = mkdtempSync(join(tmpdir(), 'loam-tls-'));
    beforeAll(async () => {
      const subject = `-subj /CN=localhost -addext subjectAltName=DNS:localhost`;
      const key = `${directory}/key.pem`;
      // It vouches for itself: authority and certificate in one.
      await shell(
        `openssl req -x509 -newkey ed25519 -nodes -days 2 -keyout ${key} -out ${directory}/ca.pem ${subject}`,
      );
      const tls = { key: readFileSync(key), cert: readFileSync(`${directory}/ca.pem`) };
      proxy = createServer(tls, (request, response) => {
        const { method, headers, url } = request;
        const upstream = forward(`${secure.url}${url}`, { method, headers }, (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        });
        request.pipe(upstream);
      }).listen(0, '127.0.0.1');
      await once(proxy, 'listening');
      const publicUrl = `https://localhost:${(proxy.address() as AddressInfo).port}`;
      secure = await site.host.farm({
        packagesDirectory: site.packages,
        publicUrl,
        publicCaFile: `${directory}/ca.pem`,
      });
      await secure.listen();
    });
    afterAll(() => {
      proxy.close();
      rmSync(directory, { recursive: true, force: true });
    });

    const secureLine = async (): Promise<string> => {
      const made = (await secure.call('POST', '/enrolment-tokens', { pool: 'linux' })).json<EnrolmentToken>();
      return `${made.commands.linux} --root ${site.root}`;
    };

    test('trusts it by the digest in the line, and keeps it for the agent', async () => {
      const { code, output } = await shell(await secureLine());
      expect([code, output]).toEqual([0, expect.stringContaining('Enrolled as')]);
      expect(readFileSync(join(site.state(), 'ca.pem'), 'utf8')).toBe(readFileSync(`${directory}/ca.pem`, 'utf8'));
    });

    test('runs nothing when another certificate comes', async () => {
      const line = (await secureLine()).replace(/[0-9a-f]{64}/, '0'.repeat(64));
      const { code, output } = await shell(line);
      expect([code === 0, output.includes('Making this host'), readdirSync(site.root)]).toEqual([false, false, []]);
    });

    test('does not go on without it', async () => {
      const line = (await secureLine()).replace(/^.*?(?=curl -fsSL --cacert)/, '').replaceAll('"$ca"', '/etc/hostname');
      const { output } = await shell(line);
      expect(output).toMatch(/curl: \(\d+\)/);
      expect(readdirSync(site.root)).toEqual([]);
    });
  });
});
