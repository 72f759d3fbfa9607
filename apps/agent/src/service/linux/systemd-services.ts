import { execFile } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { LoamError } from '@loam/base';

import type { ServiceManager, ServiceState } from '../service-manager.ts';
import { systemdUnit } from './systemd-unit.ts';

const timeoutMs = 150_000;
const states: Readonly<Record<string, ServiceState>> = {
  active: 'running',
  reloading: 'running',
  activating: 'starting',
  deactivating: 'stopping',
};

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Services of systemd. With `root`, the units of a file system that is not booted are written and enabled; nothing can be
 * started there.
 */
export function systemdServices({ root = '/' }: { readonly root?: string } = {}): ServiceManager {
  const isOffline = root !== '/';
  const unitOf = (name: string): string => `${name}.service`;
  const fileOf = (name: string): string => join(root, 'etc/systemd/system', unitOf(name));

  async function systemctl(name: string, ...parameters: string[]): Promise<Ended> {
    const ended = await run('systemctl', isOffline ? [`--root=${root}`, ...parameters] : parameters);
    if (ended.code === 0) return ended;
    const reason = (ended.stderr.trim() || `systemctl ${parameters[0]} ended with ${ended.code}`).replace(/\.$/, '');
    throw LoamError.of('agent.service-refused', { name, reason });
  }

  function mustBeInstalled(name: string): void {
    if (!existsSync(fileOf(name))) throw LoamError.of('agent.service-unknown', { name });
  }

  async function status(name: string): Promise<Awaited<ReturnType<ServiceManager['status']>>> {
    const file = fileOf(name);
    if (!existsSync(file)) return { name, state: 'not-installed' };
    const commandLine = /^ExecStart=(.*)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
    // The link itself: below another root it points to nothing.
    const link = join(dirname(file), 'multi-user.target.wants', unitOf(name));
    const startsAtBoot = lstatSync(link, { throwIfNoEntry: false }) !== undefined;
    if (isOffline) return { name, state: 'stopped', commandLine, startsAtBoot };
    const properties = ['ActiveState', 'MainPID', 'ExecMainStatus'];
    const { stdout } = await systemctl(name, 'show', unitOf(name), `--property=${properties.join(',')}`);
    const shown = new Map(stdout.split('\n').map((line) => line.split('=', 2) as [string, string]));
    const state = states[shown.get('ActiveState') ?? ''] ?? 'stopped';
    const processId = Number(shown.get('MainPID') ?? 0);
    const exitCode = Number(shown.get('ExecMainStatus') ?? 0);
    return {
      name,
      state,
      ...(processId > 0 ? { processId } : {}),
      commandLine,
      startsAtBoot,
      ...(state === 'stopped' && exitCode !== 0 ? { exitCode } : {}),
    };
  }

  return {
    async install(definition) {
      const { name } = definition;
      const file = fileOf(name);
      const unit = systemdUnit(definition);
      const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
      if (before !== unit) {
        try {
          mkdirSync(dirname(file), { recursive: true });
          writeFileSync(`${file}.new`, unit, { mode: 0o644 });
          renameSync(`${file}.new`, file);
        } catch (cause) {
          const reason = `${file} cannot be written (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`;
          throw LoamError.of('agent.service-refused', { name, reason }, { cause });
        }
        if (!isOffline) await systemctl(name, 'daemon-reload');
      }
      await systemctl(name, 'enable', unitOf(name));
      const changed = before === undefined ? 'created' : before === unit ? 'unchanged' : 'updated';
      return { name, changed, commandLine: /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '', warnings: [] };
    },
    async uninstall(name) {
      if (!existsSync(fileOf(name))) return false;
      await systemctl(name, 'disable', ...(isOffline ? [] : ['--now']), unitOf(name));
      rmSync(fileOf(name), { force: true });
      if (isOffline) return true;
      await systemctl(name, 'daemon-reload');
      // One that had failed would be listed as such for ever. Mostly there is nothing to reset.
      await systemctl(name, 'reset-failed', unitOf(name)).catch(() => undefined);
      return true;
    },
    async start(name) {
      mustBeInstalled(name);
      await systemctl(name, 'start', unitOf(name));
      const { state, exitCode } = await status(name);
      if (state !== 'running') {
        throw LoamError.of('agent.service-not-started', { name, reason: `it ended with ${exitCode ?? 0}` });
      }
    },
    async stop(name) {
      mustBeInstalled(name);
      await systemctl(name, 'stop', unitOf(name));
    },
    status,
  };
}

function run(program: string, parameters: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, [...parameters], { timeout: timeoutMs }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      const isMissing = (error as NodeJS.ErrnoException | null)?.code === 'ENOENT';
      resolve({ code, stdout, stderr: isMissing ? 'this host has no systemctl' : stderr });
    });
  });
}
