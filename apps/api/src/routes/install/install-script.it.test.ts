import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as forward } from 'node:http';
import { createServer, type Server } from 'node:https';

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Agent, EnrolmentToken } from '@loam/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { startFarmHost, type FarmHost, type TestFarm } from '../../testing/farm.ts';
import { until } from '../../testing/until.ts';

const agentMain = fileURLToPath(new URL('../../../../agent/src/main.ts', import.meta.url));
const scriptFile = fileURLToPath(new URL('../../../../../infra/linux/install.sh', import.meta.url));

/** Stands in for the package: the real agent, run from its sources, in one file. What a package is tried for is tools/package. */
const standIn = `#!/bin/sh\nexec '${process.execPath}' '${agentMain}' "$@"\n`;
const sha256 = createHash('sha256').update(standIn).digest('hex');
const name = 'loam-agent-linux-x64';

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

let host: FarmHost;
let farm: TestFarm;
let packages: string;
let root: string;
const running: ChildProcess[] = [];

beforeAll(async () => {
  host = await startFarmHost();
  packages = mkdtempSync(join(tmpdir(), 'loam-packages-'));
  writeFileSync(join(packages, name), standIn);
  offer(sha256);
  farm = await host.farm({ packagesDirectory: packages });
  await farm.listen();
});
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'loam-root-'))));
afterEach(async () => {
  for (const child of running.splice(0)) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  rmSync(root, { recursive: true, force: true });
  offer(sha256);
});
afterAll(async () => {
  await host.close();
  rmSync(packages, { recursive: true, force: true });
});

function offer(digest: string): void {
  const file = { platform: 'linux-x64', name, size: standIn.length, sha256: digest };
  writeFileSync(join(packages, 'manifest.json'), JSON.stringify({ version: '9.9.9', files: [file] }));
}

function shell(line: string, environment: Record<string, string> = {}): Promise<Ended> {
  const env = { PATH: process.env['PATH'] ?? '', LOAM_INSTALL_RETRY_SECONDS: '0', ...environment };
  return new Promise((resolve) => {
    execFile('sh', ['-c', line], { env, cwd: tmpdir() }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr }),
    );
  });
}

/** The line that the farm gives, for a directory instead of the host. */
async function pastedLine(options = '', url = farm.url): Promise<{ line: string; token: string }> {
  const made = await farm.call('POST', '/enrolment-tokens', { pool: 'linux', slots: 3 }, { host: new URL(url).host });
  const { token, commands } = made.json<EnrolmentToken>();
  return { line: `${commands.linux} --root ${root} --name soil-7 ${options}`, token };
}

const program = (): string => join(root, 'usr/local/bin/loam-agent');
const state = (): string => join(root, 'var/lib/loam-agent');
const agents = async (): Promise<Agent[]> => (await farm.call('GET', '/agents')).json<{ items: Agent[] }>().items;

describe('the install script for Linux', () => {
  test('has nothing that shellcheck would say', async () => {
    const { code, output } = await shell(`shellcheck ${scriptFile}`);
    expect([output, code]).toEqual(['', 0]);
  });

  test('makes the host an agent that connects; a second run changes nothing and spends no token', async () => {
    const { line, token } = await pastedLine();
    const first = await shell(line);
    expect(first.output).toContain('Enrolled as soil-7');
    expect(first.output).toContain('no systemd here');
    expect([first.code, first.output.includes(token)]).toEqual([0, false]);
    expect(readFileSync(program(), 'utf8')).toBe(standIn);
    expect(readdirSync(join(root, 'usr/local/lib/loam'))).toEqual([]);

    const child = spawn(program(), ['run', '--state', state(), '--grace', '1s'], { stdio: 'ignore' });
    running.push(child);
    await until(async () => (await agents()).find((agent) => agent.name === 'soil-7')?.state === 'online');
    expect((await agents()).find((agent) => agent.name === 'soil-7')).toMatchObject({ pool: 'linux', slots: 3 });

    const again = await pastedLine();
    const second = await shell(again.line);
    expect(second.output).toContain('Nothing had to be changed.');
    expect(second.output).not.toMatch(/^ {2}do/m);
    expect(second.code).toBe(0);
    const enrolled = await farm.call('POST', '/agent/enrol', { token: again.token, name: 'soil-8' });
    expect(enrolled.statusCode).toBe(201);
  });

  test('does nothing while another run of it is under way', async () => {
    const directory = join(root, 'usr/local/lib/loam');
    mkdirSync(directory, { recursive: true });
    const { line } = await pastedLine();
    const { code, output } = await shell(`flock ${directory} sh -c '${line}'`);
    expect([code, output]).toEqual([1, expect.stringContaining('code: install.busy')]);
    expect(readdirSync(directory)).toEqual([]);
    expect((await shell(line)).code).toBe(0);
  });

  test('takes a host in anew that was revoked, when the line is pasted with a new token', async () => {
    await shell((await pastedLine()).line.replace('soil-7', 'soil-9'));
    const named = async (): Promise<Agent[]> => (await agents()).filter((agent) => agent.name === 'soil-9');
    const [revoked] = await named();
    await farm.call('POST', `/agents/${revoked?.id}/revoke`);
    const { code, output } = await shell((await pastedLine()).line.replace('soil-7', 'soil-9'));
    expect([code, output]).toEqual([0, expect.stringContaining('refuses the credential')]);
    expect(output).toContain('Enrolled as soil-9');
    expect((await named()).map((agent) => agent.state).toSorted()).toEqual(['offline', 'revoked']);
  });

  test('with --dry-run says what it would do, and does nothing', async () => {
    const { line } = await pastedLine('--dry-run');
    const { code, output } = await shell(line);
    expect(output).toMatch(/would download .* 9\.9\.9/);
    expect(output).toMatch(/would enrol with/);
    expect([code, readdirSync(root)]).toEqual([0, []]);
  });

  test('goes on with a download that broke off', async () => {
    const part = join(root, `usr/local/lib/loam/${sha256}.part`);
    mkdirSync(dirname(part), { recursive: true });
    writeFileSync(part, standIn);
    truncateSync(part, 20);
    const { line } = await pastedLine();
    expect((await shell(line)).code).toBe(0);
    expect(readFileSync(program(), 'utf8')).toBe(standIn);
    // What was there is not fetched again: were it other bytes, the digest would tell.
    writeFileSync(program(), '');
    writeFileSync(part, 'x'.repeat(20));
    expect((await shell(line)).output).toContain('code: install.wrong-digest');
  });

  test('puts nothing in place whose digest is another one', async () => {
    offer('0'.repeat(64));
    const { line } = await pastedLine();
    const { code, output } = await shell(line);
    expect(output).toContain('code: install.wrong-digest');
    expect([code, existsSync(program()), readdirSync(join(root, 'usr/local/lib/loam'))]).toEqual([1, false, []]);
  });

  test('leaves the agent of another farm as it is, and a host without a token, too', async () => {
    const { line, token } = await pastedLine();
    await shell(line);
    writeFileSync(program(), 'of another version');
    const other = await shell(`${line} --url ${farm.url.replace('127.0.0.1', 'localhost')}`);
    expect([other.code, other.output]).toEqual([1, expect.stringContaining('code: install.other-farm')]);
    expect(readFileSync(program(), 'utf8')).toBe('of another version');
    rmSync(program());
    rmSync(join(state(), 'config.json'));
    const without = await shell(line.replace(token, ''));
    expect([without.code, without.output]).toEqual([1, expect.stringContaining('code: install.no-token')]);
    expect(existsSync(program())).toBe(false);
  });

  test('ends with a code also when it was not expected to fail', async () => {
    writeFileSync(join(root, 'usr'), 'a file in the way');
    const { code, output } = await shell((await pastedLine()).line);
    expect([code === 0, output]).toEqual([false, expect.stringContaining('code: install.failed')]);
    expect((await shell((await pastedLine('--what')).line)).output).not.toContain('install.failed');
  });

  test('says that packages were not built, and what to do', async () => {
    writeFileSync(join(packages, 'manifest.json'), '{}');
    const { line } = await pastedLine();
    const { code, output } = await shell(line);
    expect(output).toMatch(/npm run package[^]*code: install\.no-package/);
    expect([code, readdirSync(root)]).toEqual([1, []]);
  });

  test('says that a token was used', async () => {
    const { line, token } = await pastedLine();
    await farm.call('POST', '/agent/enrol', { token, name: 'another' });
    const { code, output } = await shell(line);
    expect(output).toMatch(/api\.enrolment-refused|This enrolment token is unknown, was used, or has expired/);
    expect(output).toContain('code: install.enrol-failed');
    expect([code, existsSync(join(state(), 'config.json'))]).toEqual([1, false]);
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
    const { line } = await pastedLine(options);
    const ended = await shell(line);
    expect(ended.output).toContain(`code: ${code}`);
    expect(ended.code).toBe(1);
  });

  test('runs nothing of a file that came only in part', async () => {
    const whole = (await farm.app.inject({ url: '/install.sh' })).body;
    for (const share of [0.3, 0.6, 0.9]) {
      writeFileSync(join(root, 'part.sh'), whole.slice(0, whole.length * share));
      const { output } = await shell(`sh ${root}/part.sh --root ${root}`);
      expect(output).not.toMatch(/Making this host/);
    }
    expect(readdirSync(root)).toEqual(['part.sh']);
  });

  test('takes itself away again, and the state only when told', async () => {
    const { line } = await pastedLine();
    await shell(line);
    const removed = await shell(`${line} --uninstall`);
    expect(removed.output).toContain(`Kept: ${state()}`);
    expect([existsSync(program()), existsSync(join(state(), 'config.json'))]).toEqual([false, true]);
    await shell(`${line} --uninstall --purge`);
    expect(existsSync(state())).toBe(false);
    expect((await shell(`${line} --uninstall --purge`)).output).toContain('Nothing had to be changed.');
  });

  test('ends what a killed agent left before the program goes that can', async () => {
    mkdirSync(join(state(), 'containerd'), { recursive: true });
    writeFileSync(join(state(), 'containerd/containerd.pid'), '1\n');
    mkdirSync(dirname(program()), { recursive: true });
    const asked = join(root, 'asked');
    writeFileSync(program(), `#!/bin/sh\necho "$@" >${asked}\n`, { mode: 0o755 });
    const { line } = await pastedLine('--uninstall --purge');
    const mount = `mkdir ${state()}/m && mount -t tmpfs tmpfs ${state()}/m`;
    const mounted = await shell(`unshare --mount sh -euc '${mount} && ${line}'`);
    expect([mounted.code, mounted.output]).toEqual([1, expect.stringContaining('code: install.still-mounted')]);
    expect(existsSync(program())).toBe(true);
    const { code, output } = await shell(line);
    expect([code, output]).toEqual([0, expect.stringContaining('end what a killed agent left behind')]);
    expect(readFileSync(asked, 'utf8')).toBe(`cache ls --state ${state()}\n`);
    expect(existsSync(state())).toBe(false);
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
      secure = await host.farm({ packagesDirectory: packages, publicUrl, publicCaFile: `${directory}/ca.pem` });
      await secure.listen();
    });
    afterAll(() => {
      proxy.close();
      rmSync(directory, { recursive: true, force: true });
    });

    const secureLine = async (): Promise<string> => {
      const made = (await secure.call('POST', '/enrolment-tokens', { pool: 'linux' })).json<EnrolmentToken>();
      return `${made.commands.linux} --root ${root}`;
    };

    test('trusts it by the digest in the line, and keeps it for the agent', async () => {
      const { code, output } = await shell(await secureLine());
      expect([code, output]).toEqual([0, expect.stringContaining('Enrolled as')]);
      expect(readFileSync(join(state(), 'ca.pem'), 'utf8')).toBe(readFileSync(`${directory}/ca.pem`, 'utf8'));
    });

    test('runs nothing when another certificate comes', async () => {
      const line = (await secureLine()).replace(/[0-9a-f]{64}/, '0'.repeat(64));
      const { code, output } = await shell(line);
      expect([code === 0, output.includes('Making this host'), readdirSync(root)]).toEqual([false, false, []]);
    });

    test('does not go on without it', async () => {
      const line = (await secureLine()).replace(/^.*?(?=curl -fsSL --cacert)/, '').replaceAll('"$ca"', '/etc/hostname');
      const { output } = await shell(line);
      expect(output).toMatch(/curl: \(\d+\)/);
      expect(readdirSync(root)).toEqual([]);
    });
  });

  test('with systemd (a stand-in that writes down what it is asked) installs and starts the service once', async () => {
    // In a mount namespace of its own the host looks booted with systemd, and its units are another directory.
    const bin = join(root, 'bin');
    mkdirSync(bin);
    const asked = join(root, 'asked');
    writeFileSync(join(bin, 'systemctl'), `#!/bin/sh\necho "$@" >>${asked}\n`);
    chmodSync(join(bin, 'systemctl'), 0o755);
    const { line, token } = await pastedLine();
    const own = line.replace(`--root ${root}`, `--prefix ${root}/usr --state ${root}/state`);
    const inNamespace = (command: string): Promise<Ended> =>
      shell(
        `unshare --mount sh -euc '
          mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system /etc/systemd/system
          mkdir -p ${root}/units && mount --bind ${root}/units /etc/systemd/system
          ${command.replaceAll("'", `'\\''`)}'`,
        { PATH: `${bin}:${process.env['PATH']}` },
      );
    const first = await inNamespace(own);
    expect([first.code, first.output]).toEqual([0, expect.stringContaining('do    start the service')]);
    const unit = readFileSync(join(root, 'units/loam-agent.service'), 'utf8');
    expect(unit).toContain(`service run --name loam-agent --state ${root}/state`);
    expect(readFileSync(asked, 'utf8')).toMatch(/daemon-reload\nenable loam-agent\.service\n[^]*restart loam-agent\n$/);
    const second = await inNamespace(own);
    expect([second.code, second.output]).toEqual([0, expect.stringContaining('Nothing had to be changed.')]);
    const moved = await inNamespace(own.replaceAll(token, (await pastedLine()).token).concat(' --force'));
    expect([moved.code, moved.output]).toEqual([0, expect.stringContaining('do    start the service')]);
    // The second file has the same name, so only its text says that Node has to read it.
    for (const authority of ['one', 'another']) {
      writeFileSync(join(root, 'ca.pem'), `BEGIN CERTIFICATE ${authority}`);
      const trusting = await inNamespace(`${own} --ca ${root}/ca.pem`);
      expect([trusting.code, trusting.output]).toEqual([0, expect.stringContaining('do    start the service')]);
    }
    // A program that does not work any more must not keep its service.
    writeFileSync(join(root, 'usr/bin/loam-agent'), '#!/bin/sh\nexit 1\n');
    const overridden = join(root, 'units/loam-agent.service.d');
    mkdirSync(overridden);
    writeFileSync(join(overridden, 'proxy.conf'), '');
    const removed = await inNamespace(`${own} --uninstall`);
    expect([removed.code, removed.output]).toEqual([0, expect.stringContaining('stop the service')]);
    expect(removed.output).toContain('loam-agent.service.d, which somebody else wrote');
    expect(readdirSync(join(root, 'units'))).toEqual(['loam-agent.service.d']);
    expect(readdirSync(overridden)).toEqual(['proxy.conf']);
  });
});
