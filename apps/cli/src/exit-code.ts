import type { Build } from '@loam/contracts';

/** Exit codes of `loam`; `loam --help` explains them. 125 is what Docker uses for its own failures. */
export const exitCodes = { success: 0, failure: 1, usage: 2, notRun: 125, cancelled: 130 } as const;

/** The exit code that stands for a build that has ended. */
export function exitCodeOf(build: Build): number {
  if (build.state === 'succeeded') return exitCodes.success;
  if (build.state === 'cancelled') return exitCodes.cancelled;
  const failed = build.stepRuns.find((step) => step.state === 'failed');
  // Out of time: the step that ran then was cancelled, but it was the build that took too long.
  if (!failed) return build.error?.code === 'engine.build-timed-out' ? exitCodes.failure : exitCodes.notRun;
  if (failed.exit === null) return exitCodes.failure;
  if (failed.exit.kind !== 'exited') return exitCodes.failure;
  return failed.exit.code >= 1 && failed.exit.code <= 124 ? failed.exit.code : exitCodes.failure;
}
