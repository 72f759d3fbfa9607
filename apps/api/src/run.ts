import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { toLoamError } from '@loam/base';

import { readConfig, settings, type Environment } from './config.ts';
import { createLog } from './log.ts';
import { startApi, type RunningApi } from './start.ts';

/** A process that does not end by itself within this time is ended. Its parts take less, or its database would be left running. */
const stopMsMax = 25_000;

/** `--data-dir` style flags: the settings in small letters, without their prefix. `--listen`, `--data`, `--database-url` … */
function readEnvironment(): Environment {
  const names = Object.keys(settings) as (keyof typeof settings)[];
  const flagOf = (name: string): string => name.slice('LOAM_'.length).toLowerCase().replaceAll('_', '-');
  const options = Object.fromEntries(names.map((name) => [flagOf(name), { type: 'string' as const }]));
  const parsed = parseArgs({ options: { ...options, help: { type: 'boolean' } } });
  const values: Readonly<Record<string, string | boolean | undefined>> = parsed.values;
  if (values['help'] === true) {
    const lines = names.map((name) => `  --${flagOf(name).padEnd(18)} ${name.padEnd(22)} ${settings[name]}`);
    process.stdout.write(`The control plane of a Loam farm.\n\n${lines.join('\n')}\n`);
    process.exit(0);
  }
  const flags = Object.fromEntries(
    names.flatMap((name) => (values[flagOf(name)] ? [[name, values[flagOf(name)]]] : [])),
  );
  return { ...process.env, ...flags };
}

const environment = readEnvironment();
const log = createLog();
let starting: Promise<RunningApi> | undefined;
let isStopping = false;

function stop(code: number): void {
  if (isStopping) return;
  isStopping = true;
  setTimeout(() => process.exit(1), stopMsMax).unref();
  // In the middle of a start nobody knows yet what there is to be ended: it comes to its end first.
  Promise.resolve(starting)
    .then((running) => running?.close())
    .then(
      () => process.exit(code),
      (error: unknown) => {
        log.error({ err: error }, 'could not stop in the orderly way');
        process.exit(1);
      },
    );
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(0));
process.on('unhandledRejection', (error) => {
  // A bug; but builds of others are under way, and what they need is in the database.
  log.error({ err: error }, 'unhandled rejection');
});

try {
  const config = readConfig(environment, {
    webDirectory: fileURLToPath(new URL('../../web/dist', import.meta.url)),
    packagesDirectory: fileURLToPath(new URL('../../../dist/agent', import.meta.url)),
  });
  log.level = config.logLevel;
  starting = startApi(config, { log, isStarter: environment.LOAM_STARTER === '1' });
  const { url, localUrl, loginUrl, firstToken, starterToken } = await starting;
  log.info({ url }, 'the API listens');
  // The one line on standard output: for whoever started us.
  process.stdout.write(`${JSON.stringify({ ready: true, url, localUrl, loginUrl, firstToken, starterToken })}\n`);
} catch (error) {
  const { code, message, remedy } = toLoamError(error);
  log.fatal({ err: error, code, remedy }, message);
  process.exitCode = 1;
  // It has ended what it had begun.
  starting = undefined;
  stop(1);
}
