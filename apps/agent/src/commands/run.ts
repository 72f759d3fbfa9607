import { resolve } from 'node:path';

import { pino } from 'pino';

import { readFarmConfig } from '../config.ts';
import { startDaemon } from '../daemon.ts';
import { readLogLevel, type Log } from '../log.ts';
import { parseDuration, parseSlots } from '../quantities.ts';
import { processLifecycle } from '../service/linux/process-lifecycle.ts';
import { hostOptions, type CommonOptions } from './options.ts';

export interface RunOptions extends CommonOptions {
  readonly slots?: string;
  readonly grace: string;
  readonly url?: string;
}

/** How whoever runs the daemon ends it, and what they hear of it. */
export interface Lifecycle {
  /** Resolves with the reason when the daemon is to stop. */
  readonly stop: Promise<string>;
  readonly onStarted?: () => void;
  readonly onStopping?: () => void;
  readonly onQuarantine?: (reason: string) => void;
}

/** `loam-agent run`: the daemon, until SIGTERM or SIGINT. */
export function run(options: RunOptions): Promise<number> {
  return serve(options, pino({ level: readLogLevel(process.env['LOAM_LOG_LEVEL']) }), processLifecycle());
}

/** The daemon from its start to its end. Gives the exit code. */
export async function serve(options: RunOptions, log: Log, lifecycle: Lifecycle): Promise<number> {
  const enrolled = readFarmConfig(resolve(options.state));
  const farm = {
    ...enrolled,
    ...(options.slots === undefined ? {} : { slots: parseSlots(options.slots) }),
    ...(options.url === undefined ? {} : { url: options.url }),
  };
  const graceMs = parseDuration(options.grace);
  const daemon = await startDaemon({
    host: hostOptions(options),
    farm,
    log,
    ...(lifecycle.onQuarantine ? { onQuarantine: lifecycle.onQuarantine } : {}),
  });
  log.info({ url: farm.url, name: farm.name, pool: farm.pool, slots: farm.slots, pid: process.pid }, 'agent started');
  lifecycle.onStarted?.();
  log.info({ signal: await lifecycle.stop }, 'stopping');
  lifecycle.onStopping?.();
  await daemon.stop(graceMs);
  log.info({}, 'stopped');
  return 0;
}
