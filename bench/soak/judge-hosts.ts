import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { leftovers } from '../../tools/farm/leftovers.ts';
import { pause } from './fault.ts';
import { processesWith } from './processes.ts';
import type { SoakAgent } from './soak-agent.ts';

/** Left-overs may take a moment to go: what is still there after this is left. */
const settleMs = 15_000;
/** What may be below an agent's directory though no build runs. */
const kept =
  /^(config\.json|identity|agent\.lock|shells\.json|attempts\/reserve|(containerd|logs|blobs|backend\/(caches|names|shims))\/(?!.*\.(new|tmp|part)$).*)$/;
const pipesMax = 3 * 16;

/** What an idle agent has that it may not have. */
export async function judgeHost(agent: SoakAgent): Promise<string[]> {
  const end = Date.now() + settleMs;
  for (;;) {
    const found = [...leftovers(agent.state), ...files(agent), ...runsAtTheSameTime(agent)];
    if (found.length === 0 || Date.now() > end) return found.map((text) => `${agent.name} keeps ${text}`);
    await pause(500);
  }
}

/** What a farm that was stopped left running or mounted below its directory. */
export function judgeStopped(directory: string): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${directory}/`));
  return [
    ...processesWith(directory).map(({ pid, command }) => `process ${pid} runs: ${command}`),
    ...mounts.map((point) => `${point} is mounted`),
  ];
}

/** Committed snapshots that are results of steps. */
export function heldSteps(agent: SoakAgent): string[] {
  const socket = path.join(agent.state, 'containerd', 'containerd.sock');
  return execFileSync('ctr', ['--address', socket, '--namespace', 'loam', 'snapshots', 'ls'], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([name, , kind]) => /^[0-9a-f]{64}$/.test(name ?? '') && kind === 'Committed')
    .map(([name]) => name ?? '');
}

/** Files that belong to builds which are over. Named pipes are kept ready for the next ones. */
function files(agent: SoakAgent): string[] {
  const found = walk(agent.state).filter((file) => !kept.test(file));
  const pipes = found.filter((file) => file.startsWith('backend/fifos/'));
  return pipes.length > pipesMax ? found : found.filter((file) => !pipes.includes(file));
}

function walk(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith('containerd/root/'));
}

/** Steps of which one run wrote after another had begun to: their marks take turns. */
function runsAtTheSameTime(agent: SoakAgent): string[] {
  const shared = readdirSync(agent.state, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && /^(s\d+-|shared-|tool-)/.test(entry.name) && entry.parentPath.includes('/backend/'),
  );
  return shared.flatMap((entry) => {
    const seen = new Set<string>();
    let last = '';
    for (const mark of readFileSync(path.join(entry.parentPath, entry.name), 'utf8').split('\n')) {
      if (mark === last || mark === '') continue;
      if (seen.has(mark)) return [`proof that two runs of ${entry.name} ran at the same time`];
      seen.add(mark);
      last = mark;
    }
    return [];
  });
}
