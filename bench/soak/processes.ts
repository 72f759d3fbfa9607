import { readdirSync, readFileSync } from 'node:fs';

/** Sends the signal; a process that is gone already is well. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Processes of this machine by what they were started with. */
export function processesWith(argument: string): { pid: number; command: string }[] {
  return pids().flatMap((pid) => {
    const command = commandLine(pid);
    return pid !== process.pid && command.includes(argument) ? [{ pid, command }] : [];
  });
}

/** The process and all below it. */
export function family(pid: number): number[] {
  const parents = new Map(pids().map((child) => [child, parentOf(child)]));
  const found = [pid];
  for (const at of found) for (const [child, parent] of parents) if (parent === at) found.push(child);
  return found;
}

export function residentBytes(pid: number): number {
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1]) || 0) * 1024;
}

/** The process id in the first line of a file. */
export function pidIn(file: string): number | undefined {
  const pid = Number(read(file).split('\n')[0]);
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

function commandLine(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
}

/** The command's name stands in parentheses and may hold anything, so fields count from the last one. */
function parentOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Empty for what is gone. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
