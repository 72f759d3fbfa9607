import type { ServiceState } from '../service-manager.ts';

/** Numbers of winsvc.h (Microsoft, "SERVICE_STATUS structure"). */
export const states = { stopped: 1, startPending: 2, stopPending: 3, running: 4 } as const;
const ownProcess = 0x10;
const accepts = { stop: 0x1, preshutdown: 0x100 };
/** Means that the service's own code says why (winerror.h, ERROR_SERVICE_SPECIFIC_ERROR). */
const serviceSpecificError = 1066;
const neverStarted = 1077;

/** What the service tells the service manager. */
export interface ReportedStatus {
  readonly state: keyof typeof states;
  /** Counts up while start or stop goes on. */
  readonly checkpoint?: number;
  /** When the next report is due at the latest. */
  readonly waitHintMs?: number;
  readonly exitCode?: number;
}

/** A SERVICE_STATUS: seven numbers of 32 bits. */
export function serviceStatusBytes(status: ReportedStatus): Buffer {
  const exitCode = status.exitCode ?? 0;
  // Who is told before a shutdown is not told of the shutdown (Microsoft, "LPHANDLER_FUNCTION_EX").
  const controls = status.state === 'running' ? accepts.stop | accepts.preshutdown : 0;
  return Buffer.from(
    Uint32Array.of(
      ownProcess,
      states[status.state],
      controls,
      exitCode === 0 ? 0 : serviceSpecificError,
      exitCode,
      status.checkpoint ?? 0,
      status.waitHintMs ?? 0,
    ).buffer,
  );
}

/** A SERVICE_STATUS_PROCESS: the same, then the process and flags. */
export const processStatusBytes = 36;

export function readProcessStatus(bytes: Buffer): {
  readonly state: ServiceState;
  readonly processId?: number;
  readonly exitCode?: number;
} {
  const number = (index: number): number => bytes.readUInt32LE(index * 4);
  const names: Record<number, ServiceState> = { 1: 'stopped', 2: 'starting', 3: 'stopping', 4: 'running' };
  const win32ExitCode = number(3);
  const exitCode = win32ExitCode === serviceSpecificError ? number(4) : win32ExitCode;
  const hasFailed = exitCode !== 0 && exitCode !== neverStarted;
  const processId = number(7);
  // Nobody pauses this service: it does not accept that.
  const state = names[number(1)] ?? 'running';
  return {
    state,
    ...(processId === 0 ? {} : { processId }),
    ...(state === 'stopped' && hasFailed ? { exitCode } : {}),
  };
}

/** What a control asks for (Microsoft, "LPHANDLER_FUNCTION_EX callback function"). */
export function askedBy(control: number): 'stop' | 'report' | 'unknown' {
  const [stop, interrogate, shutdown, preshutdown] = [1, 4, 5, 0xf];
  if (control === stop || control === shutdown || control === preshutdown) return 'stop';
  return control === interrogate ? 'report' : 'unknown';
}
