import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Milliseconds of several runs of one thing. */
export interface Measurement {
  readonly what: string;
  readonly runsMs: readonly number[];
  /** Steps, files or whatever one run did, when a figure for each is wanted. */
  readonly per?: { readonly count: number; readonly unit: string };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** One thing to be timed. */
export interface Subject {
  readonly what: string;
  readonly per?: Measurement['per'];
  /** Prepares a run, outside the clock. */
  readonly before?: () => void | Promise<void>;
  /** A run. What it gives, in milliseconds, counts instead of its wall-clock time. */
  readonly body: () => Promise<unknown>;
}

/** Times the subjects in turns, round after round: a machine that is busy for a while is so for all of them. */
export async function measureInTurns(rounds: number, subjects: readonly Subject[]): Promise<Measurement[]> {
  const runs = subjects.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, { before, body }] of subjects.entries()) {
      await before?.();
      const start = performance.now();
      const own = await body();
      runs[index]?.push(typeof own === 'number' ? own : performance.now() - start);
    }
  }
  const measurements = subjects.map(({ what, per }, index) => ({
    what,
    runsMs: runs[index] ?? [],
    ...(per === undefined ? {} : { per }),
  }));
  for (const measurement of measurements) process.stdout.write(`  ${line(measurement)}\n`);
  return measurements;
}

function line(measurement: Measurement): string {
  const { what, runsMs, per } = measurement;
  const each = per === undefined ? '' : `  ${(median(runsMs) / per.count).toFixed(1)} ms/${per.unit}`;
  const spread = `(${figure(Math.min(...runsMs))}–${figure(Math.max(...runsMs))}, n=${runsMs.length})`;
  return `${what.padEnd(74)} ${figure(median(runsMs)).padStart(6)} ms ${spread}${each}`;
}

function figure(ms: number): string {
  return ms.toFixed(ms < 20 ? 1 : 0);
}

/** Runs a command to its end; throws with its output when it fails. */
export function execute(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      const text = Buffer.concat(output).toString('utf8');
      if (code === 0) resolve(text);
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${text}`));
    });
  });
}

/** Prints the table and keeps it in bench/results/NAME.md with the machine and the command that made it. */
export function record(name: string, measurements: readonly Measurement[], notes: readonly string[]): void {
  const cpu = os.cpus()[0]?.model ?? 'unknown processor';
  const rows = measurements.map(({ what, runsMs, per }) => {
    const each = per === undefined ? '' : `${(median(runsMs) / per.count).toFixed(1)} ms/${per.unit}`;
    return `| ${what} | ${figure(median(runsMs))} | ${figure(Math.min(...runsMs))}–${figure(Math.max(...runsMs))} | ${runsMs.length} | ${each} |`;
  });
  const page = [
    `# ${name}`,
    '',
    `Made by \`npm run bench -- ${name}\` on ${new Date().toISOString().slice(0, 10)}: ${os.cpus().length} × ${cpu}, Linux ${os.release()}, Node ${process.versions.node}.`,
    `All rows are of one run on one machine, measured in turns; read them as ratios. Load average at the end: ${os.loadavg()[0]?.toFixed(1)}.`,
    '',
    '| what | median ms | spread | runs | each |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    ...notes.map((note) => `- ${note}`),
    '',
  ].join('\n');
  const file = path.join(import.meta.dirname, '..', 'results', `${name}.md`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, page);
  process.stdout.write(`\nrecorded in bench/results/${name}.md\n`);
}
