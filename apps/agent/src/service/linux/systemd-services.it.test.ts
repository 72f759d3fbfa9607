import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { systemdServices } from './systemd-services.ts';
import { systemdUnit } from './systemd-unit.ts';

// With the real systemctl, on the units of a directory: that needs no systemd that runs.
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'loam-systemd-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const name = 'loam-agent';
const definition = {
  name,
  stateDirectory: '/var/lib/loam-agent',
  command: ['/usr/local/bin/loam-agent', 'service', 'run', '--state', '/var/lib/loam-agent'],
};

it('installs once, changes what is other, and takes everything away again', async () => {
  const services = systemdServices({ root });
  expect(await services.status(name)).toEqual({ name, state: 'not-installed' });
  expect(await services.install(definition)).toMatchObject({ changed: 'created', warnings: [] });
  expect(await services.install(definition)).toMatchObject({ changed: 'unchanged' });
  const changed = { ...definition, command: [...definition.command, '--slots', '4'] };
  expect(await services.install(changed)).toMatchObject({ changed: 'updated' });
  expect(await services.status(name)).toEqual({
    name,
    state: 'stopped',
    commandLine: '/usr/local/bin/loam-agent service run --state /var/lib/loam-agent --slots 4',
    startsAtBoot: true,
  });
  expect(await services.uninstall(name)).toBe(true);
  expect(await services.uninstall(name)).toBe(false);
  expect(existsSync(join(root, 'etc/systemd/system/multi-user.target.wants/loam-agent.service'))).toBe(false);
  expect(await services.status(name)).toEqual({ name, state: 'not-installed' });
});

it('a service that is not there cannot be started', async () => {
  await expect(systemdServices({ root }).start(name)).rejects.toMatchObject({ code: 'agent.service-unknown' });
});

it('systemd finds nothing wrong with the unit, even where the words need quotes', () => {
  const file = join(root, 'loam-agent.service');
  const command = ['/bin/sh', 'with blank', '100%', '$HOME', 'a"b', 'back\\slash'];
  writeFileSync(file, systemdUnit({ ...definition, command, stateDirectory: '/var/lib/with blank' }));
  execFileSync('systemd-analyze', ['verify', '--man=no', file], { stdio: 'pipe' });
  expect(readFileSync(file, 'utf8')).toContain(
    'ExecStart=/bin/sh "with blank" 100%% "$$HOME" "a\\"b" "back\\\\slash"\n',
  );
});

it('systemd says so when a unit is wrong', () => {
  const file = join(root, 'loam-agent.service');
  writeFileSync(file, systemdUnit(definition).replace('ExecStart=', 'ExecStart=relative/'));
  expect(() => execFileSync('systemd-analyze', ['verify', '--man=no', file], { stdio: 'pipe' })).toThrow();
});

it('the unit in infra is the one that `service install` writes, for a checkout in /opt/loam', () => {
  const file = new URL('../../../../../infra/linux/loam-agent.service', import.meta.url);
  const command = ['/opt/loam/tools/bin/loam-agent.mjs', 'run'];
  expect(readFileSync(file, 'utf8')).toBe(systemdUnit({ command, stateDirectory: '/var/lib/loam-agent' }));
});
