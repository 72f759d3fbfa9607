import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { startFarm, type Farm } from './farm.ts';
import { root, runProgram, startProgram, type ManagedProcess } from './process.ts';

const { values: options } = parseArgs({
  options: { once: { type: 'boolean' }, dev: { type: 'boolean' }, 'no-agent': { type: 'boolean' } },
});

const dataDirectory = path.resolve(process.env['LOAM_DATA'] ?? path.join(root, '.loam'));

function say(text: string): void {
  process.stdout.write(`${(performance.now() / 1000).toFixed(1).padStart(6)}s  ${text}\n`);
}

/** Builds examples/almanac through the farm with the CLI, as a user would; gives its exit code. */
async function buildSample(farm: Farm): Promise<number> {
  const key = path.join(dataDirectory, 'sample.key');
  if (!existsSync(key)) {
    mkdirSync(dataDirectory, { recursive: true });
    writeFileSync(key, createHash('sha256').update(farm.token).digest('hex'), { mode: 0o600 });
  }
  say('Building the sample, examples/almanac, through the farm …');
  return runProgram(
    'apps/cli/src/main.ts',
    [
      'build',
      '-f',
      'examples/almanac/almanac.spec',
      'examples/almanac',
      '--title',
      'The almanac',
      '--secret',
      `almanac-key:${key}`,
    ],
    { LOAM_URL: farm.url, LOAM_TOKEN: farm.token },
  );
}

/** The web UI from its sources, with hot replacement, in front of the farm. Gives its address. */
function startVite(farm: Farm): { url: string; vite: ManagedProcess } {
  const vite = startProgram('apps/web/node_modules/vite/bin/vite.js', {
    args: ['apps/web', '--host', '127.0.0.1'],
    env: { LOAM_API: farm.url },
    logFile: path.join(dataDirectory, 'logs', 'vite.log'),
  });
  void vite.ended.then(({ how }) => {
    if (how !== 'SIGTERM') say(`Vite ended (${how}); its log is ${path.join(dataDirectory, 'logs', 'vite.log')}`);
  });
  return { url: 'http://127.0.0.1:7701', vite };
}

/** Makes what hosts download to become agents, when it is missing or older than the sources; builds go first. */
function makePackages(): ManagedProcess {
  const logFile = path.join(dataDirectory, 'logs', 'package.log');
  const packaging = startProgram('tools/package/package.ts', { args: ['--if-stale'], logFile });
  try {
    setPriority(packaging.pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already, or the host does not let us.
  }
  const made: string[] = [];
  packaging.onLine((line) => {
    const [, name] = /dist\/agent\/(\S+)/.exec(line) ?? [];
    if (name !== undefined) made.push(name);
  });
  packaging.ended.then(
    ({ code, how }) => {
      if (code === 0 && made.length > 0) say(`Hosts can download the agent now: ${made.join(', ')}`);
      if (code !== 0 && how !== 'SIGTERM') say(`The agent's packages could not be made (${how}); see ${logFile}`);
    },
    (error: unknown) => say(`The agent's packages could not be made: ${String(error)}`),
  );
  return packaging;
}

async function main(): Promise<number> {
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
  });
  const farm = await startFarm({
    dataDirectory,
    listen: process.env['LOAM_LISTEN'] ?? '127.0.0.1:7700',
    agent: options['no-agent'] !== true,
    supervise: true,
    say,
    ...(options.dev ? { apiFlags: ['--watch'] } : {}),
  });
  const front = options.dev ? startVite(farm) : undefined;
  let packaging: ManagedProcess | undefined;
  try {
    let code = 0;
    if (options['no-agent']) say('No agent yet: open the address below, Agents, Add an agent.');
    else if (!options.dev) {
      code = await Promise.race([buildSample(farm), interrupted.then(() => 130)]);
      say(code === 0 ? 'The sample build succeeded.' : `The sample build ended with ${code}.`);
    }
    if (options.once) return code;
    if (farm.firstToken !== null) say(`API token for programs, shown only now: ${farm.firstToken}`);
    say(`The farm is at ${farm.publicUrl}`);
    if (front)
      say(`The UI from its sources is at ${front.url}, and follows them; the API starts again when its own change.`);
    if (!options.dev) packaging = makePackages();
    const loginUrl = front === undefined ? farm.loginUrl : farm.loginUrl.replace(farm.publicUrl, front.url);
    say(
      `Open ${loginUrl} to log in. \`npx loam ls\` works here as it is. Ctrl-C stops everything; data stays in ${dataDirectory}`,
    );
    await interrupted;
    return code;
  } finally {
    say('Stopping …');
    await packaging?.stop();
    await front?.vite.stop();
    await farm.stop();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
