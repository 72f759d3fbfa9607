import { isLoamError, LoamError, sleep, type Clock } from '@loam/base';

import type { InstallReport, ServiceDefinition, ServiceManager, ServiceState } from '../service-manager.ts';
import { registerEventSource, removeEventSource } from './event-log.ts';
import { openServiceControl, Win32Failure, win32Errors, type ServiceControl } from './service-control.ts';
import { serviceConfiguration, serviceSettings } from './service-settings.ts';

const pollMs = 200;
const startTimeoutMs = 90_000;
/** Longer than the service itself gives to running builds. */
const stopTimeoutMs = 180_000;
const removeTimeoutMs = 30_000;
const automatic = 2;

/** Services of Windows (Microsoft, "Service Control Manager"). */
export async function windowsServices(clock: Clock): Promise<ServiceManager> {
  const control = await openServiceControl();
  return {
    install: (definition) => translated(definition.name, () => install(control, definition)),
    async uninstall(name) {
      if (control.query(name) === undefined) return false;
      await translated(name, async () => {
        await stop(name);
        forgiving(() => control.delete(name), win32Errors.markedForDelete);
        await until(name, (state) => state === 'not-installed', removeTimeoutMs, 'delete');
        await removeEventSource(name);
      });
      return true;
    },
    start: (name) =>
      translated(name, async () => {
        forgiving(() => control.start(name), win32Errors.alreadyRunning);
        await until(name, (state) => state === 'running' || state === 'stopped', startTimeoutMs, 'start');
        const status = control.query(name);
        if (status?.state !== 'running') {
          throw LoamError.of('agent.service-not-started', { name, reason: `it ended with ${status?.exitCode ?? 0}` });
        }
      }),
    stop: (name) => translated(name, () => stop(name)),
    status: (name) =>
      translated(name, () => {
        const status = control.query(name);
        if (status === undefined) return { name, state: 'not-installed' };
        const { start, ...rest } = status;
        return { name, ...rest, startsAtBoot: start === automatic };
      }),
  };

  async function stop(name: string): Promise<void> {
    // While it starts or stops, the service manager passes nothing on.
    await until(name, (state) => state !== 'starting', startTimeoutMs, 'start');
    forgiving(() => control.stop(name), win32Errors.notActive, win32Errors.takesNoControls);
    await until(name, (state) => state === 'stopped' || state === 'not-installed', stopTimeoutMs, 'stop');
  }

  async function until(
    name: string,
    reached: (state: ServiceState) => boolean,
    timeoutMs: number,
    verb: string,
  ): Promise<void> {
    const deadline = clock.monotonic() + timeoutMs;
    for (;;) {
      const state = control.query(name)?.state ?? 'not-installed';
      if (reached(state)) return;
      if (clock.monotonic() > deadline) {
        const reason = `it is still ${state} ${timeoutMs / 1000} s after the request to ${verb} it`;
        throw LoamError.of('agent.service-refused', { name, reason });
      }
      await sleep(clock, pollMs);
    }
  }
}

async function install(control: ServiceControl, definition: ServiceDefinition): Promise<InstallReport> {
  const { name } = definition;
  const dependsOn = control.query('containerd') === undefined ? [] : ['containerd'];
  const configuration = serviceConfiguration(definition, dependsOn);
  const before = control.query(name);
  if (before === undefined) control.create(name, configuration);
  else control.change(name, configuration);
  const warnings: string[] = [];
  for (const setting of serviceSettings()) {
    try {
      control.set(name, setting);
    } catch (error) {
      if (!(error instanceof Win32Failure)) throw error;
      warnings.push(`${setting.what} is not set, the service works without it: ${error.message}`);
    }
  }
  try {
    await registerEventSource(name);
  } catch (error) {
    warnings.push(
      `the source in the event log is not registered: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const { commandLine } = configuration;
  const changed =
    before === undefined
      ? 'created'
      : before.commandLine === commandLine && before.start === automatic
        ? 'unchanged'
        : 'updated';
  return { name, changed, commandLine, warnings };
}

function forgiving(work: () => void, ...codes: number[]): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Win32Failure && codes.includes(error.code))) throw error;
  }
}

async function translated<T>(name: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (isLoamError(cause) || !(cause instanceof Win32Failure)) throw cause;
    if (cause.code === win32Errors.notThere) throw LoamError.of('agent.service-unknown', { name }, { cause });
    const reason = cause.code === win32Errors.accessDenied ? 'only an administrator may do that' : cause.message;
    throw LoamError.of('agent.service-refused', { name, reason }, { cause });
  }
}
