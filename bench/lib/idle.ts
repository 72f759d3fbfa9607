import { readFileSync } from 'node:fs';

const ticksPerSecond = 100;

/** What a process that has nothing to do takes, over `seconds`: a sentence. Linux only. */
export async function describeIdle(name: string, pid: number, seconds: number): Promise<string> {
  const before = cpuTicks(pid);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const cpuMs = ((cpuTicks(pid) - before) * 1000) / ticksPerSecond;
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return `Idle ${name} after all this: ${Math.round(Number(rss) / 1024)} MB resident, ${(cpuMs / seconds).toFixed(1)} ms of processor time a second.`;
}

/** User and system time. Source: proc_pid_stat(5), fields 14 and 15, counted behind the name in parentheses. */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
