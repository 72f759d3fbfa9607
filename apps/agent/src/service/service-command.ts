import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isSea } from 'node:sea';

import { LoamError, systemClock } from '@loam/base';

import { parseDuration, parseSlots } from '../quantities.ts';
import { claimStateDirectory } from '../config.ts';
import type { ServiceManager, ServiceState } from './service-manager.ts';

export interface ServiceOptions {
  readonly name: string;
  readonly json?: boolean;
}

/** Options of `run`, as far as they are to be other than by default. */
export interface ServiceInstallOptions extends ServiceOptions {
  readonly state: string;
  readonly containerd?: string;
  readonly namespace?: string;
  readonly slots?: string;
  readonly grace?: string;
  readonly url?: string;
}

/** `service status` ends like systemd's and LSB's: 0 running, 3 not running, 4 not installed. */
const statusCodes: Readonly<Record<ServiceState, number>> = {
  running: 0,
  starting: 3,
  stopping: 3,
  stopped: 3,
  'not-installed': 4,
};

/** `loam-agent service install`: creates the service, or brings it to these options. Does not start it. */
export async function installService(options: ServiceInstallOptions): Promise<number> {
  const { name } = options;
  mustBeName(name);
  if (options.slots !== undefined) parseSlots(options.slots);
  const grace = options.grace === undefined ? {} : { graceMs: parseDuration(options.grace) };
  const stateDirectory = resolve(options.state);
  const services = await openServices();
  if (process.platform === 'win32' || process.getuid?.() === 0) claimStateDirectory(stateDirectory);
  const command = serviceCommand(options, stateDirectory);
  const report = await services.install({ name, stateDirectory, command, ...grace });
  const warnings = [...report.warnings, ...placeWarnings(command[0] ?? '', process.env)];
  print(options, { ...report, warnings, stateDirectory }, [
    `The service ${name} ${{ created: 'is installed', updated: 'is changed', unchanged: 'is as it was' }[report.changed]}: ${report.commandLine}`,
    ...warnings.map((warning) => `Warning: ${warning}`),
  ]);
  return 0;
}

/** `loam-agent service uninstall`: its state directory stays. */
export async function uninstallService(options: ServiceOptions): Promise<number> {
  const removed = await (await openServices()).uninstall(options.name);
  print(options, { name: options.name, removed }, [
    removed ? `The service ${options.name} is gone.` : `There was no service ${options.name}.`,
  ]);
  return 0;
}

/** `loam-agent service start` and `stop`. */
export async function switchService(verb: 'start' | 'stop', options: ServiceOptions): Promise<number> {
  const services = await openServices();
  await services[verb](options.name);
  const status = await services.status(options.name);
  print(options, status, [`The service ${options.name} is ${status.state}.`]);
  return 0;
}

/** `loam-agent service status` */
export async function showService(options: ServiceOptions): Promise<number> {
  const status = await (await openServices()).status(options.name);
  const { state, processId, commandLine, startsAtBoot, exitCode } = status;
  print(options, status, [
    `${options.name}: ${state}${processId === undefined ? '' : ` (process ${processId})`}`,
    ...(exitCode === undefined ? [] : [`  ended with ${exitCode}`]),
    ...(commandLine === undefined ? [] : [`  ${commandLine}`]),
    ...(startsAtBoot === false ? ['  does not start by itself'] : []),
  ]);
  return statusCodes[state];
}

/** The program and arguments that the service manager is to run. */
export function serviceCommand(
  options: ServiceInstallOptions,
  stateDirectory: string,
  program: readonly string[] = thisProgram(),
): string[] {
  const optional = (['containerd', 'namespace', 'slots', 'grace', 'url'] as const).flatMap((key) => {
    const value = options[key];
    return value === undefined ? [] : [`--${key}`, value];
  });
  return [...program, 'service', 'run', '--name', options.name, '--state', stateDirectory, ...optional];
}

/** A service runs as SYSTEM or root: a program that a user can replace gives that user the host. */
export function placeWarnings(program: string, environment: NodeJS.ProcessEnv): string[] {
  const own = ['USERPROFILE', 'TEMP'].flatMap((key) => environment[key] ?? []);
  const places = [...own, 'C:\\Users', '/home', '/tmp', '/var/tmp'].filter((place) => place.length > 1);
  const isBelow = (place: string): boolean => {
    const rest = program.toLowerCase().slice(place.length);
    return program.toLowerCase().startsWith(place.toLowerCase()) && /^[\\/]/.test(rest);
  };
  if (!places.some(isBelow)) return [];
  return [`${program} is where users can write, and the service runs it with all rights: move it and install again`];
}

function thisProgram(): string[] {
  return isSea() ? [process.execPath] : [process.execPath, fileURLToPath(new URL('../main.ts', import.meta.url))];
}

async function openServices(): Promise<ServiceManager> {
  if (process.platform === 'win32') {
    const { windowsServices } = await import('./windows/windows-services.ts');
    return await windowsServices(systemClock);
  }
  const { systemdServices } = await import('./linux/systemd-services.ts');
  return systemdServices();
}

function mustBeName(name: string): void {
  if (/^[A-Za-z0-9][\w-]{0,79}$/.test(name)) return;
  const reason = 'write letters, digits, - and _, 80 at most';
  throw LoamError.of('agent.bad-argument', { option: '--name', value: name, reason });
}

function print(options: ServiceOptions, facts: object, lines: readonly string[]): void {
  process.stdout.write(options.json ? `${JSON.stringify(facts)}\n` : `${lines.join('\n')}\n`);
}
