import { defaultServiceName } from '../host-events.ts';
import type { ServiceDefinition } from '../service-manager.ts';
import { windowsCommandLine } from './command-line.ts';

/** Numbers of winsvc.h (Microsoft, "CreateServiceW function", "ChangeServiceConfig2W function"). */
const ownProcess = 0x10;
const autoStart = 2;
const errorNormal = 1;
const restart = 1;
const levels = { description: 1, failureActions: 2, delayedAutoStart: 3, failureActionsFlag: 4, preshutdown: 7 };

/** What CreateServiceW and ChangeServiceConfigW take. */
export interface ServiceConfiguration {
  readonly displayName: string;
  readonly type: number;
  readonly start: number;
  readonly errorControl: number;
  readonly commandLine: string;
  /** Each name ends with NUL, and the list with another. */
  readonly dependencies: string;
  readonly account: string;
}

/** One call of ChangeServiceConfig2W. */
export type ServiceSetting = { readonly what: string; readonly level: number } & (
  | { readonly text: string }
  | { readonly number: number }
  | {
      readonly resetSeconds: number;
      readonly actions: readonly { readonly type: number; readonly delayMs: number }[];
    }
);

/** How long Windows waits, at a shutdown, for running builds to end: what is left then is resumed at the next start. */
const preshutdownMs = 60_000;

/** LocalSystem is who containerd's pipe lets in (reference §1.1). `dependsOn` are services that exist on this host. */
export function serviceConfiguration(
  definition: ServiceDefinition,
  dependsOn: readonly string[],
): ServiceConfiguration {
  return {
    displayName: definition.name === defaultServiceName ? 'Loam build agent' : `Loam build agent (${definition.name})`,
    type: ownProcess,
    start: autoStart,
    errorControl: errorNormal,
    commandLine: windowsCommandLine(definition.command),
    // An empty list takes dependencies away; none at all would leave them.
    dependencies: `${dependsOn.map((name) => `${name}\0`).join('')}\0`,
    account: 'LocalSystem',
  };
}

/** Settings beside the configuration. Restarts count for a day, also after an end that was no crash. */
export function serviceSettings(): ServiceSetting[] {
  return [
    {
      what: 'description',
      level: levels.description,
      text: 'Builds in containers for a Loam farm. Its log is in the directory service-log below its state directory.',
    },
    { what: 'delayed start', level: levels.delayedAutoStart, number: 1 },
    {
      what: 'recovery',
      level: levels.failureActions,
      resetSeconds: 86_400,
      actions: [5_000, 30_000, 60_000].map((delayMs) => ({ type: restart, delayMs })),
    },
    { what: 'recovery after ends that are no crash', level: levels.failureActionsFlag, number: 1 },
    { what: 'time before a shutdown', level: levels.preshutdown, number: preshutdownMs },
  ];
}
