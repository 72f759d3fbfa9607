import type { Step } from '@loam/contracts';

/** The step that a reader most likely came for: what failed, else what runs, else the last that did anything. */
export function currentStep(steps: readonly Step[]): Step | undefined {
  return (
    steps.find((step) => step.state === 'failed') ??
    steps.findLast((step) => step.state === 'running') ??
    steps.findLast((step) => step.logId !== null || step.startedAt !== null) ??
    steps[0]
  );
}

/** The failed step after `from`, going round. */
export function nextFailure(steps: readonly Step[], from: Step | undefined): Step | undefined {
  const start = from === undefined ? 0 : steps.indexOf(from) + 1;
  return [...steps.slice(start), ...steps.slice(0, start)].find((step) => step.state === 'failed');
}

export interface StageGroup {
  readonly path: readonly string[];
  readonly steps: readonly Step[];
}

/** Runs of steps in the same nested build, in order. */
export function groupByStage(steps: readonly Step[]): StageGroup[] {
  const groups: { path: readonly string[]; steps: Step[] }[] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    if (last !== undefined && last.path.join('/') === step.stage.join('/')) last.steps.push(step);
    else groups.push({ path: step.stage, steps: [step] });
  }
  return groups;
}

/** `make` rather than `(run (shell "make"))`: the list is for finding a step, the panel shows it as written. */
export function opBody(op: string): string {
  const shell = /\(\s*shell\s+(?:"((?:[^"\\]|\\[^])*)"|([^\s()"]+))\s*\)/.exec(op);
  const quoted = shell?.[1]?.replace(/\\(?:\r?\n\s*|(["\\]))/g, '$1');
  return (quoted ?? shell?.[2] ?? op.replace(/^\(\s*\w+\s*|\)\s*$/g, '')).replace(/\s+/g, ' ');
}

/** What a step ended with, in words. */
export function exitText(step: Step): string | undefined {
  switch (step.exit?.kind) {
    case 'exited':
      return `exit code ${step.exit.meaning ?? step.exit.code}`;
    case 'signalled':
      return `killed by signal ${step.exit.signal}`;
    case 'out-of-memory':
      return 'out of memory';
    case 'timed-out':
      return 'timed out';
    case undefined:
      return undefined;
  }
}
