import type { RunExit } from '@loam/backend';
import { LoamError } from '@loam/base';
import type { BuildOutcome } from '@loam/engine';

/** What `--help` says about exit codes. */
export const exitCodeHelp = `
Exit codes: 0 the build succeeded; of a step whose command failed, its own (128 + N when signal N killed it);
1 anything else that failed; 2 wrong arguments or an invalid spec; 130 interrupted.`;

/** The same for `doctor`. */
export const doctorExitCodeHelp = `
Exit codes: 0 no problem was found (there may be warnings); 1 there is a problem, after --fix still; 2 wrong arguments.
A wrong --only lists the checks there are; registries.reachable is made only when it is named.`;

/** The code with which a build's process ends. `exit` is how the step that failed ended, if it got to run. */
export function exitCodeOf(outcome: BuildOutcome, exit: RunExit | undefined): number {
  if (outcome.kind === 'succeeded') return 0;
  if (outcome.kind === 'cancelled') return 130;
  if (exit?.kind === 'exited' && exit.code > 0 && exit.code < 256) return exit.code;
  if (exit?.kind === 'signalled') return 128 + exit.signal;
  return 1;
}

/** EX_CONFIG of sysexits.h: nothing changes until somebody has enrolled this host. The unit names it. */
export const notConfigured = 78;

/** The code with which any other command ends that threw. */
export function exitCodeOfError(error: unknown): number {
  if (!(error instanceof LoamError)) return 1;
  if (error.code === 'agent.bad-argument' || error.code === 'agent.spec-invalid') return 2;
  if (error.code === 'agent.not-enrolled' || error.code === 'agent.config-invalid') return notConfigured;
  return error.code === 'general.cancelled' ? 130 : 1;
}
