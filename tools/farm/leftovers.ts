import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * What an idle agent may not have: tasks, containers, working (active or view) snapshots and leases in its private
 * containerd, and mounts below its state directory. Gives a line for each that is there; asks `ctr`, not our own client.
 */
export function leftovers(
  agentDirectory: string,
  socket: string = path.join(agentDirectory, 'containerd', 'containerd.sock'),
): string[] {
  const ctr = (...args: string[]): string[] =>
    execFileSync('ctr', ['--address', socket, '--namespace', 'loam', ...args], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .filter(Boolean);
  const working = ctr('snapshots', 'ls').filter((line) => /\b(Active|View)\b/.test(line));
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => (line.split(' ')[4] ?? '').startsWith(`${agentDirectory}/`));
  return [
    ...ctr('tasks', 'ls', '-q').map((line) => `task ${line}`),
    ...ctr('containers', 'ls', '-q').map((line) => `container ${line}`),
    ...working.map((line) => `working snapshot ${line}`),
    ...ctr('leases', 'ls', '-q').map((line) => `lease ${line}`),
    ...mounts.map((line) => `mount ${line}`),
  ];
}
