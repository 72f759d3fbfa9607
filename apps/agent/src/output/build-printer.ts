import type { BuildEvent, BuildOutcome, StepEnded, StepStarted } from '@loam/engine';

import { formatBytes, formatDuration, type Style } from './style.ts';

/** Shows a build while it runs. */
export interface BuildPrinter {
  onEvent(event: BuildEvent): void;
  onOutcome(outcome: BuildOutcome, durationMs: number): void;
}

type Write = (bytes: string | Uint8Array) => void;

interface Shown {
  readonly started: StepStarted;
  /** A hit gets one line, so a heading waits until the step turns out to be more. */
  hasHeading: boolean;
}

/**
 * For people: a heading per step, its log as it comes, how it ended, and the result's id on the last line.
 * Lines of nested builds carry the stage's name in front, since several may run at the same time.
 */
export function textPrinter(write: Write, style: Style): BuildPrinter {
  const steps = new Map<string, Shown>();
  const counts = { hit: 0, built: 0, shared: 0, failed: 0, cancelled: 0 };
  /** Position whose log has written part of a line. */
  let partial: string | undefined;

  function line(text: string): void {
    if (partial !== undefined) write('\n');
    partial = undefined;
    write(`${text}\n`);
  }

  function heading(step: Shown): void {
    if (step.hasHeading) return;
    step.hasHeading = true;
    line(`${style.bold(`[${step.started.position}]`)} ${style.bold(step.started.op)}`);
  }

  function log(step: Shown, bytes: Uint8Array): void {
    const { position, stage } = step.started;
    const prefix = stage === '' ? '' : style.dim(`${stage}| `);
    if (partial !== undefined && partial !== position) write('\n');
    const continues = partial === position;
    partial = bytes.at(-1) === 0x0a ? undefined : position;
    if (prefix === '') return write(bytes);
    for (let at = 0, first = true; at < bytes.length; first = false) {
      const newline = bytes.indexOf(0x0a, at);
      const end = newline === -1 ? bytes.length : newline + 1;
      if (!first || !continues) write(prefix);
      write(bytes.subarray(at, end));
      at = end;
    }
  }

  function ended(step: Shown, event: StepEnded): void {
    counts[event.outcome] += 1;
    const { position, op } = step.started;
    const id = event.stepId === undefined ? '' : ` ${event.stepId.slice(0, 12)}`;
    if (event.outcome === 'hit' && !step.hasHeading) {
      return line(`${style.bold(`[${position}]`)} ${op} ${style.green(`hit${id}`)}`);
    }
    heading(step);
    const size = event.sizeBytes === undefined ? '' : `, ${formatBytes(event.sizeBytes)}`;
    const commit = event.phases?.find(({ phase }) => phase === 'committing');
    const committed = commit === undefined ? '' : `, commit ${formatDuration(commit.durationMs)}`;
    const text = `${event.outcome}${id} in ${formatDuration(event.durationMs)}${committed}${size}`;
    line(`    ${event.outcome === 'failed' ? style.red(text) : style.dim(text)}`);
  }

  return {
    onEvent(event) {
      if (event.type === 'step-started') {
        steps.set(event.position, { started: event, hasHeading: false });
        return;
      }
      const step = steps.get(event.position);
      if (!step) return;
      switch (event.type) {
        case 'step-progress':
          return event.phase === 'resolving' ? undefined : heading(step);
        case 'step-log':
          heading(step);
          return log(step, event.bytes);
        case 'step-ended':
          return ended(step, event);
      }
    },
    onOutcome(outcome, durationMs) {
      const named = Object.entries(counts).filter(([, count]) => count > 0);
      const summary = `${named.map(([name, count]) => `${count} ${name}`).join(', ')} in ${formatDuration(durationMs)}`;
      line(style.dim(summary));
      if (outcome.kind === 'succeeded') line(`result ${style.green(outcome.stepId)}`);
    },
  };
}

/** For programs: each event, and at last the outcome, as a line of JSON. Log bytes are text, or base64 where they are no UTF-8. */
export function jsonPrinter(write: Write): BuildPrinter {
  const print = (value: object): void => write(`${JSON.stringify(value)}\n`);
  return {
    onEvent(event) {
      if (event.type !== 'step-log') return print(event);
      const { bytes, ...rest } = event;
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      const text = buffer.toString();
      return print(
        Buffer.from(text).equals(buffer) ? { ...rest, text } : { ...rest, base64: buffer.toString('base64') },
      );
    },
    onOutcome(outcome, durationMs) {
      const rest =
        outcome.kind === 'succeeded'
          ? { result: outcome.stepId }
          : outcome.kind === 'failed'
            ? { position: outcome.position, error: outcome.error.toPublic() }
            : {};
      print({ type: 'build-ended', outcome: outcome.kind, ...rest, durationMs });
    },
  };
}

/** Only the result's id. */
export function quietPrinter(write: Write): BuildPrinter {
  return {
    onEvent() {},
    onOutcome(outcome) {
      if (outcome.kind === 'succeeded') write(`${outcome.stepId}\n`);
    },
  };
}
