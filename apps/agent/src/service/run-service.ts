import { resolve } from 'node:path';

import { systemClock, toLoamError } from '@loam/base';

import { serve, type Lifecycle, type RunOptions } from '../commands/run.ts';
import { readFarmConfig } from '../config.ts';
import type { Log } from '../log.ts';
import type { HostEvents } from './host-events.ts';
import { processLifecycle } from './linux/process-lifecycle.ts';
import { openHostEvents } from './open-host-events.ts';
import { cleanLog, fileLog, withoutSecrets } from './service-log.ts';
import { waitForContainerd } from './wait-for-containerd.ts';

export interface ServiceRunOptions extends RunOptions {
  readonly name: string;
}

/**
 * `loam-agent service run`: the daemon under the service manager. On Windows it logs to files and to the event log, and
 * ends when the service manager says so; on Linux it is `run`: systemd keeps what it prints, and sends SIGTERM.
 */
export async function runService(options: ServiceRunOptions): Promise<number> {
  const stateDirectory = resolve(options.state);
  const secrets = credentialOf(stateDirectory);
  if (process.platform !== 'win32') {
    const log = cleanLog(secrets, (line) => process.stdout.write(line));
    return await serve(options, log, processLifecycle());
  }
  const { runWindowsService } = await import('./windows/service-process.ts');
  return await runWindowsService(options.name, systemClock, async (lifecycle) => {
    const { log, file } = fileLog(stateDirectory, secrets);
    const clean = withoutSecrets(secrets);
    const events = await openHostEvents(options.name);
    try {
      const told: HostEvents = { report: (event, text) => events.report(event, clean(text)) };
      return await serveTelling(told, options, log, lifecycle);
    } finally {
      file.close();
    }
  });
}

/** The daemon; what happens to it is told. A failure is logged: nobody reads what a service prints. */
async function serveTelling(
  events: HostEvents,
  options: ServiceRunOptions,
  log: Log,
  lifecycle: Lifecycle,
): Promise<number> {
  // Windows starts a process that died again; this only says why it did.
  process.on('uncaughtExceptionMonitor', fail);
  try {
    const told: Lifecycle = {
      ...lifecycle,
      onStarted: () => {
        events.report('started', `The build agent ${options.name} has started (process ${process.pid}).`);
        lifecycle.onStarted?.();
      },
      onQuarantine: (reason) =>
        events.report('quarantined', `The build agent ${options.name} takes no more work: ${reason}`),
    };
    const code = await waitForContainerd(() => serve(options, log, told), {
      clock: systemClock,
      log,
      stop: lifecycle.stop,
    });
    events.report('stopped', `The build agent ${options.name} has stopped.`);
    return code;
  } catch (error) {
    fail(error);
    return 1;
  } finally {
    process.off('uncaughtExceptionMonitor', fail);
  }

  function fail(error: unknown): void {
    const known = toLoamError(error);
    log.error({ err: error, code: known.code }, known.message);
    events.report('failed', `The build agent ${options.name} has failed: ${known.message} ${known.remedy}`);
  }
}

function credentialOf(stateDirectory: string): string[] {
  try {
    return [readFarmConfig(stateDirectory).credential];
  } catch {
    // `serve` will say what is wrong with it.
    return [];
  }
}
