import { fail } from '../grpc-codes.ts';

export type ConsoleEvent = 'CtrlC' | 'CtrlBreak' | 'CtrlClose' | 'CtrlLogOff' | 'CtrlShutdown';

const events: Readonly<Record<number, ConsoleEvent>> = {
  0: 'CtrlC',
  1: 'CtrlBreak',
  2: 'CtrlClose',
  5: 'CtrlLogOff',
  6: 'CtrlShutdown',
  15: 'CtrlShutdown',
};

/** What a signal number means to a Windows container (reference §7.2). */
export function signalAction(signal: number): ConsoleEvent | 'terminate' {
  if (signal === 9) return 'terminate';
  const event = events[signal];
  if (event === undefined) throw fail.precondition(`signal ${signal}: invalid signal value`);
  return event;
}

/** 32-bit exit codes that the runtime gives by itself (reference §7.1). */
export const exitCode = {
  /** Ended by a console event that it has no handler for. */
  controlC: 0xc000013a,
  /** The commit limit of the container. */
  commitLimit: 0xc000012d,
  /** Killed while only created, or its start failed. */
  neverRan: 1,
  /** By `Tasks.Kill` 9. The reference does not tell which code it gives; this one is unverified. */
  terminated: 1,
  /** The shim's first value, and what containerd reports when the shim is gone. */
  shimGone: 255,
} as const;
