import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { defineCheck, ok, problem, skipped, warning, type AnyCheck, type Verdict } from '../check.ts';

export const linuxOverlay = defineCheck<{ filesystems: string; kernel: string }>({
  id: 'linux.overlay',
  title: 'overlayfs',
  only: 'linux',
  gather: async (host) => ({ filesystems: await readFile('/proc/filesystems', 'utf8'), kernel: host.osVersion }),
  judge: ({ filesystems, kernel }) => judgeOverlay(filesystems, kernel),
});

export function judgeOverlay(filesystems: string, kernel: string): Verdict {
  if (/\toverlay$/m.test(filesystems)) return ok(`Linux ${kernel} has it.`, 'Snapshots can be layered.');
  return warning(
    `Linux ${kernel} has not loaded it; containerd.snapshotter says whether containerd could.`,
    'Without it no snapshot can be mounted.',
    'Run: modprobe overlay',
  );
}

interface CgroupFacts {
  readonly version: 1 | 2 | undefined;
  readonly controllers: readonly string[];
}

const neededControllers = ['cpu', 'memory', 'pids'];

export const linuxCgroups = defineCheck<CgroupFacts>({
  id: 'linux.cgroups',
  title: 'Control groups',
  only: 'linux',
  async gather() {
    const unified = await readFile('/sys/fs/cgroup/cgroup.controllers', 'utf8').catch(() => undefined);
    if (unified !== undefined) return { version: 2, controllers: unified.split(/\s+/).filter((name) => name !== '') };
    const table = await readFile('/proc/cgroups', 'utf8').catch(() => '');
    return { version: table === '' ? undefined : 1, controllers: parseCgroupTable(table) };
  },
  judge: judgeCgroups,
});

/** Name, hierarchy, number of groups, enabled: cgroups(7). */
export function parseCgroupTable(table: string): string[] {
  const rows = table.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return rows.map((line) => line.split(/\s+/)).flatMap(([name = '', , , enabled]) => (enabled === '1' ? [name] : []));
}

export function judgeCgroups({ version, controllers }: CgroupFacts): Verdict {
  if (version === undefined) {
    return problem('There are no control groups.', 'runc starts no container.', 'Mount them: /sys/fs/cgroup.');
  }
  const missing = neededControllers.filter((name) => !controllers.includes(name));
  const seen = `Version ${version} with ${controllers.length === 0 ? 'no controllers' : controllers.join(', ')}.`;
  if (missing.length === 0) return ok(seen, 'Limits of steps are kept.');
  return warning(
    `${seen} Missing: ${missing.join(', ')}.`,
    'Limits of these are not kept, and running out of memory may not be told.',
    version === 2
      ? "Delegate them: `Delegate=yes` in the agent's unit, and in a container all controllers of the host."
      : 'Enable them on the command line of the kernel: cgroup_enable=memory.',
  );
}

/** Below, runc lacks what the specification that we write needs: version 1.0 of the runtime specification. */
const runcFloor = 1;

export const linuxRunc = defineCheck<{ output: string | undefined }>({
  id: 'linux.runc',
  title: 'runc',
  only: 'linux',
  async gather(host) {
    const output = await host.run('runc', ['--version']).catch(() => undefined);
    return { output: output?.code === 0 ? output.stdout : undefined };
  },
  judge: ({ output }) => judgeRunc(output),
});

export function judgeRunc(output: string | undefined): Verdict {
  const remedy = 'Install runc 1.0 or newer: apt-get install runc.';
  if (output === undefined) return problem('runc cannot be run.', 'No step can be started.', remedy);
  const version = /runc version (\S+)/.exec(output)?.[1] ?? 'unknown';
  if (Number(/^(\d+)/.exec(version)?.[1] ?? 0) < runcFloor) {
    return problem(`runc ${version}.`, 'It does not understand what steps are started with.', remedy);
  }
  return ok(`runc ${version}.`, 'Steps can be started.');
}

const plugins = ['bridge', 'host-local', 'firewall'];
const pluginDirectories = ['/usr/lib/cni', '/opt/cni/bin'];

export const linuxNat = defineCheck<{ directory: string | undefined; missing: readonly string[]; iptables: boolean }>({
  id: 'network.cni',
  title: 'NAT network for steps',
  only: 'linux',
  async gather(host) {
    const iptables = await host.run('iptables', ['--version']).then(
      ({ code }) => code === 0,
      () => false,
    );
    for (const directory of pluginDirectories) {
      const there = await Promise.all(plugins.map((name) => isThere(join(directory, name))));
      if (there.includes(true)) return { directory, missing: plugins.filter((_, index) => !there[index]), iptables };
    }
    return { directory: undefined, missing: plugins, iptables };
  },
  judge: judgeNat,
});

export function judgeNat(facts: {
  directory: string | undefined;
  missing: readonly string[];
  iptables: boolean;
}): Verdict {
  const { directory, missing, iptables } = facts;
  const cost = '(network nat) is refused on this host; (network host) and steps without a network are not concerned.';
  if (directory === undefined) return skipped(`There are no CNI plugins in ${pluginDirectories.join(', ')}.`, cost);
  const lacking = [...missing, ...(iptables ? [] : ['iptables'])];
  if (lacking.length === 0) return ok(`CNI plugins in ${directory}, and iptables.`, '(network nat) works.');
  const remedy = 'Install them: apt-get install containernetworking-plugins iptables.';
  return warning(
    `CNI plugins are in ${directory}; missing: ${lacking.join(', ')}.`,
    'Steps with (network nat) fail.',
    remedy,
  );
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

export const linuxHostChecks: readonly AnyCheck[] = [linuxOverlay, linuxCgroups, linuxRunc, linuxNat];
