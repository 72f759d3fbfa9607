import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Agent } from '@loam/contracts';
import { describe, expect, test } from 'vitest';

import { sha256, shell, standIn, useInstallSite, type Ended } from '../../testing/install-site.ts';
import { until } from '../../testing/until.ts';

const scriptFile = fileURLToPath(new URL('../../../../../infra/linux/install.sh', import.meta.url));

const site = useInstallSite();

describe('the install script for Linux', () => {
  test('has nothing that shellcheck would say', async () => {
    const { code, output } = await shell(`shellcheck ${scriptFile}`);
    expect([output, code]).toEqual(['', 0]);
  });

  test('makes the host an agent that connects; a second run changes nothing and spends no token', async () => {
    const { line, token } = await site.pastedLine();
    const first = await shell(line);
    expect(first.output).toContain('Enrolled as soil-7');
    expect(first.output).toContain('no systemd here');
    expect([first.code, first.output.includes(token)]).toEqual([0, false]);
    expect(readFileSync(site.program(), 'utf8')).toBe(standIn);
    expect(readdirSync(join(site.root, 'usr/local/lib/loam'))).toEqual([]);

    site.startAgent();
    await until(async () => (await site.agents()).find((agent) => agent.name === 'soil-7')?.state === 'online');
    expect((await site.agents()).find((agent) => agent.name === 'soil-7')).toMatchObject({ pool: 'linux', slots: 3 });

    const again = await site.pastedLine();
    const second = await shell(again.line);
    expect(second.output).toContain('Nothing had to be changed.');
    expect(second.output).not.toMatch(/^ {2}do/m);
    expect(second.code).toBe(0);
    const enrolled = await site.farm.call('POST', '/agent/enrol', { token: again.token, name: 'soil-8' });
    expect(enrolled.statusCode).toBe(201);
  });

  test('does nothing while another run of it is under way', async () => {
    const directory = join(site.root, 'usr/local/lib/loam');
    mkdirSync(directory, { recursive: true });
    const { line } = await site.pastedLine();
    const { code, output } = await shell(`flock ${directory} sh -c '${line}'`);
    expect([code, output]).toEqual([1, expect.stringContaining('code: install.busy')]);
    expect(readdirSync(directory)).toEqual([]);
    expect((await shell(line)).code).toBe(0);
  });

  test('takes a host in anew that was revoked, when the line is pasted with a new token', async () => {
    await shell((await site.pastedLine()).line.replace('soil-7', 'soil-9'));
    const named = async (): Promise<Agent[]> => (await site.agents()).filter((agent) => agent.name === 'soil-9');
    const [revoked] = await named();
    await site.farm.call('POST', `/agents/${revoked?.id}/revoke`);
    const { code, output } = await shell((await site.pastedLine()).line.replace('soil-7', 'soil-9'));
    expect([code, output]).toEqual([0, expect.stringContaining('refuses the credential')]);
    expect(output).toContain('Enrolled as soil-9');
    expect((await named()).map((agent) => agent.state).toSorted()).toEqual(['offline', 'revoked']);
  });

  test('with --dry-run says what it would do, and does nothing', async () => {
    const { line } = await site.pastedLine('--dry-run');
    const { code, output } = await shell(line);
    expect(output).toMatch(/would download .* 9\.9\.9/);
    expect(output).toMatch(/would enrol with/);
    expect([code, readdirSync(site.root)]).toEqual([0, []]);
  });

  test('goes on with a download that broke off', async () => {
    const part = join(site.root, `usr/local/lib/loam/${sha256}.part`);
    mkdirSync(dirname(part), { recursive: true });
    writeFileSync(part, standIn);
    truncateSync(part, 20);
    const { line } = await site.pastedLine();
    expect((await shell(line)).code).toBe(0);
    expect(readFileSync(site.program(), 'utf8')).toBe(standIn);
    // What was there is not fetched again: were it other bytes, the digest would tell.
    writeFileSync(site.program(), '');
    writeFileSync(part, 'x'.repeat(20));
    expect((await shell(line)).output).toContain('code: install.wrong-digest');
  });

  test('takes itself away again, and the state only when told', async () => {
    const { line } = await site.pastedLine();
    await shell(line);
    const removed = await shell(`${line} --uninstall`);
    expect(removed.output).toContain(`Kept: ${site.state()}`);
    expect([existsSync(site.program()), existsSync(join(site.state(), 'config.json'))]).toEqual([false, true]);
    await shell(`${line} --uninstall --purge`);
    expect(existsSync(site.state())).toBe(false);
    expect((await shell(`${line} --uninstall --purge`)).output).toContain('Nothing had to be changed.');
  });

  test('ends what a killed agent left before the program goes that can', async () => {
    mkdirSync(join(site.state(), 'containerd'), { recursive: true });
    writeFileSync(join(site.state(), 'containerd/containerd.pid'), '1\n');
    mkdirSync(dirname(site.program()), { recursive: true });
    const asked = join(site.root, 'asked');
    writeFileSync(site.program(), `#!/bin/sh\necho "$@" >${asked}\n`, { mode: 0o755 });
    const { line } = await site.pastedLine('--uninstall --purge');
    const mount = `mkdir ${site.state()}/m && mount -t tmpfs tmpfs ${site.state()}/m`;
    const mounted = await shell(`unshare --mount sh -euc '${mount} && ${line}'`);
    expect([mounted.code, mounted.output]).toEqual([1, expect.stringContaining('code: install.still-mounted')]);
    expect(existsSync(site.program())).toBe(true);
    const { code, output } = await shell(line);
    expect([code, output]).toEqual([0, expect.stringContaining('end what a killed agent left behind')]);
    expect(readFileSync(asked, 'utf8')).toBe(`cache ls --state ${site.state()}\n`);
    expect(existsSync(site.state())).toBe(false);
  });

  test('with systemd (a stand-in that writes down what it is asked) installs and starts the service once', async () => {
    // In a mount namespace of its own the host looks booted with systemd, and its units are another directory.
    const bin = join(site.root, 'bin');
    mkdirSync(bin);
    const asked = join(site.root, 'asked');
    writeFileSync(join(bin, 'systemctl'), `#!/bin/sh\necho "$@" >>${asked}\n`);
    chmodSync(join(bin, 'systemctl'), 0o755);
    const { line, token } = await site.pastedLine();
    const own = line.replace(`--root ${site.root}`, `--prefix ${site.root}/usr --state ${site.root}/state`);
    const inNamespace = (command: string): Promise<Ended> =>
      shell(
        `unshare --mount sh -euc '
          mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system /etc/systemd/system
          mkdir -p ${site.root}/units && mount --bind ${site.root}/units /etc/systemd/system
          ${command.replaceAll("'", `'\\''`)}'`,
        { PATH: `${bin}:${process.env['PATH']}` },
      );
    const first = await inNamespace(own);
    expect([first.code, first.output]).toEqual([0, expect.stringContaining('do    start the service')]);
    const unit = readFileSync(join(site.root, 'units/loam-agent.service'), 'utf8');
    expect(unit).toContain(`service run --name loam-agent --state ${site.root}/state`);
    expect(readFileSync(asked, 'utf8')).toMatch(/daemon-reload\nenable loam-agent\.service\n[^]*restart loam-agent\n$/);
    const second = await inNamespace(own);
    expect([second.code, second.output]).toEqual([0, expect.stringContaining('Nothing had to be changed.')]);
    const moved = await inNamespace(own.replaceAll(token, (await site.pastedLine()).token).concat(' --force'));
    expect([moved.code, moved.output]).toEqual([0, expect.stringContaining('do    start the service')]);
    // The second file has the same name, so only its text says that Node has to read it.
    for (const authority of ['one', 'another']) {
      writeFileSync(join(site.root, 'ca.pem'), `BEGIN CERTIFICATE ${authority}`);
      const trusting = await inNamespace(`${own} --ca ${site.root}/ca.pem`);
      expect([trusting.code, trusting.output]).toEqual([0, expect.stringContaining('do    start the service')]);
    }
    // A program that does not work any more must not keep its service.
    writeFileSync(join(site.root, 'usr/bin/loam-agent'), '#!/bin/sh\nexit 1\n');
    const overridden = join(site.root, 'units/loam-agent.service.d');
    mkdirSync(overridden);
    writeFileSync(join(overridden, 'proxy.conf'), '');
    const removed = await inNamespace(`${own} --uninstall`);
    expect([removed.code, removed.output]).toEqual([0, expect.stringContaining('stop the service')]);
    expect(removed.output).toContain('loam-agent.service.d, which somebody else wrote');
    expect(readdirSync(join(site.root, 'units'))).toEqual(['loam-agent.service.d']);
    expect(readdirSync(overridden)).toEqual(['proxy.conf']);
  });
});
