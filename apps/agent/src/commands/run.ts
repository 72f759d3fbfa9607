import { resolve } from 'node:path';

import { pino } from 'pino';

import { readFarmConfig } from '../config.ts';
import { startDaemon } from '../daemon.ts';
import { hostOptions, parseDuration, parseSlots, type CommonOptions } from './options.ts';

export interface RunOptions extends CommonOptions {
  readonly slots?: string;
  readonly grace: string;
  readonly url?: string;
}

/** `loam-agent run`: the daemon, until SIGTERM or SIGINT. */
export async function run(options: RunOptions): Promise<number> {
  const log = pino({ level: process.env['LOAM_LOG_LEVEL'] ?? 'info' });
  const enrolled = readFarmConfig(resolve(options.state));
  const farm = {
    ...enrolled,
    ...(options.slots === undefined ? {} : { slots: parseSlots(options.slots) }),
    ...(options.url === undefined ? {} : { url: options.url }),
  };
  const graceMs = parseDuration(options.grace);
  const stop = stopSignal();
  const daemon = await startDaemon({ host: hostOptions(options), farm, log });
  log.info({ url: farm.url, name: farm.name, pool: farm.pool, slots: farm.slots, pid: process.pid }, 'agent started');
  log.info({ signal: await stop }, 'stopping');
  await daemon.stop(graceMs);
  log.info({}, 'stopped');
  return 0;
}

/** The first signal stops in order, a second one at once: what is left then is cleaned up at the next start. */
function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    let stopping = false;
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(name, () => {
        if (stopping) process.exit(1);
        stopping = true;
        resolve(name);
      });
    }
  });
}
