import { access, readFile } from 'node:fs/promises';

import type { HostFeatures } from './runc-spec.ts';

const root = '/sys/fs/cgroup';

/** More than any build needs, and what systemd gives to services. */
const openFilesCap = 524_288;

/** What this host can do. One with both versions runs containers in version 1, as runc does. */
export async function detectHostFeatures(): Promise<HostFeatures> {
  const unifiedCgroups = await exists(`${root}/cgroup.controllers`);
  const swapAccounting = unifiedCgroups || (await exists(`${root}/memory/memory.memsw.limit_in_bytes`));
  const hardLimit = /^Max open files +\S+ +(\d+)/m.exec(await readText('/proc/self/limits'))?.[1];
  const maxOpenFiles = Math.min(openFilesCap, hardLimit === undefined ? openFilesCap : Number(hardLimit));
  const oomScoreAdj = Number(await readText('/proc/self/oom_score_adj'));
  return { unifiedCgroups, swapAccounting, maxOpenFiles, oomScoreAdj };
}

/** Whether the kernel killed anything in that cgroup for want of memory. */
export async function wasOutOfMemory(cgroupsPath: string, features: HostFeatures): Promise<boolean> {
  const file = features.unifiedCgroups
    ? `${root}${cgroupsPath}/memory.events`
    : `${root}/memory${cgroupsPath}/memory.oom_control`;
  const match = /^oom_kill (\d+)$/m.exec(await readText(file));
  return match !== null && Number(match[1]) > 0;
}

/** Whether processes are left in that cgroup. */
export async function hasProcesses(cgroupsPath: string, features: HostFeatures): Promise<boolean> {
  const file = features.unifiedCgroups
    ? `${root}${cgroupsPath}/cgroup.procs`
    : `${root}/pids${cgroupsPath}/cgroup.procs`;
  return (await readText(file)).trim() !== '';
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    // No cgroup any more, or the controller is not there: then nothing is in it.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENODEV') return '';
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
