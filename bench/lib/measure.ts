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

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Times `body` so many times; `before` prepares each run outside the clock. */
export async function measure(
  what: string,
  runs: number,
  body: (run: number) => Promise<void>,
  options: { per?: Measurement['per']; before?: (run: number) => Promise<void> } = {},
): Promise<Measurement> {
  const runsMs: number[] = [];
  for (let run = 0; run < runs; run++) {
    await options.before?.(run);
    const start = performance.now();
    await body(run);
    runsMs.push(performance.now() - start);
  }
  const measurement = { what, runsMs, ...(options.per === undefined ? {} : { per: options.per }) };
  process.stdout.write(`  ${line(measurement)}\n`);
  return measurement;
}

function line(measurement: Measurement): string {
  const { what, runsMs, per } = measurement;
  const each = per === undefined ? '' : `  ${(median(runsMs) / per.count).toFixed(1)} ms/${per.unit}`;
  const spread = `(${Math.min(...runsMs).toFixed(0)}–${Math.max(...runsMs).toFixed(0)}, n=${runsMs.length})`;
  return `${what.padEnd(58)} ${median(runsMs).toFixed(0).padStart(6)} ms ${spread}${each}`;
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
    return `| ${what} | ${median(runsMs).toFixed(0)} | ${Math.min(...runsMs).toFixed(0)}–${Math.max(...runsMs).toFixed(0)} | ${runsMs.length} | ${each} |`;
  });
  const page = [
    `# ${name}`,
    '',
    `Made by \`npm run bench -- ${name}\` on ${new Date().toISOString().slice(0, 10)}: ${os.cpus().length} × ${cpu}, Linux ${os.release()}, Node ${process.versions.node}.`,
    'All rows are of one run on one machine; read them as ratios.',
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
