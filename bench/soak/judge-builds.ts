import type { Build, Step } from '@loam/contracts';

import type { SoakFarm } from './soak-farm.ts';
import type { ExpectedLog, Shape } from './shapes.ts';
import type { Submitted, Traffic } from './traffic.ts';

const maxAttempts = 5;

/** Whether each build came to the end that its model foretells, with the logs that it foretells. */
export async function judgeBuilds({ farm }: SoakFarm, traffic: Traffic): Promise<string[]> {
  const findings: string[] = [];
  for (const submitted of traffic.submitted) {
    const build = await farm.client.build(submitted.id);
    const find = (text: string): void => void findings.push(`${describe(build, submitted)}: ${text}`);
    judgeEnd(build, submitted, find);
    const texts = new Map<string, string>();
    for (const step of build.stepRuns) {
      const expected = submitted.shape.logs[step.position];
      if (expected === undefined || step.logId === null) continue;
      const text = Buffer.from(await farm.client.log(step.logId)).toString('utf8');
      texts.set(step.position, text);
      const problem = judgeLog(text, expected, isWhole(step));
      if (problem !== undefined) find(`the log of step ${step.position} (${step.state}, ${step.logId}) ${problem}`);
      if (text.length !== step.logBytes) find(`step ${step.position} says ${step.logBytes} bytes of ${text.length}`);
    }
    if (build.state !== 'succeeded') continue;
    for (const position of Object.keys(submitted.shape.logs)) {
      const step = build.stepRuns.find((candidate) => candidate.position === position);
      const isUnneeded = position.includes('/') && step?.state === 'pending';
      if (!texts.has(position) && !isUnneeded) find(`step ${position} (${step?.state}) has no log`);
    }
  }
  return findings;
}

function judgeEnd(build: Build, { shape, isCancelled }: Submitted, find: (text: string) => void): void {
  const { state, error } = build;
  if (state === 'cancelled') {
    if (!build.cancelRequested) find('cancelled, though nobody asked for it');
  } else if (state === 'succeeded') {
    if (shape.end.kind !== 'succeeded') find('succeeded');
  } else if (state !== 'failed') find(`is ${state}`);
  else if (error?.code === 'api.attempts-exhausted') {
    const lost = build.attempts.filter((attempt) => attempt.state === 'lost').length;
    if (lost < maxAttempts) find(`given up after ${lost} lost attempts`);
  } else if (shape.end.kind !== 'failed' || error?.code !== shape.end.code) {
    find(`failed: ${error?.code}: ${error?.message}`);
  } else if (shape.end.exitCode !== undefined) {
    const exit = build.stepRuns.find((step) => step.state === 'failed')?.exit;
    if (exit?.kind !== 'exited' || exit.code !== shape.end.exitCode) find(`exit is ${JSON.stringify(exit)}`);
  }
  if (isCancelled && state !== 'cancelled' && endsOnlyByCancelling(shape)) find(`cancelled, and ended as ${state}`);
}

function endsOnlyByCancelling(shape: Shape): boolean {
  return shape.name === 'endless';
}

function isWhole(step: Step): boolean {
  return ['hit', 'built', 'shared'].includes(step.state) || step.error?.code === 'engine.step-failed';
}

/** What is wrong with a log; a step that did not end may have written any beginning of what it would have written. */
export function judgeLog(text: string, expected: ExpectedLog, isComplete: boolean): string | undefined {
  if ('whole' in expected) {
    if (text === expected.whole) return undefined;
    if (!isComplete && expected.whole.startsWith(text)) return undefined;
    return difference(text, expected.whole);
  }
  const lines = text.split('\n');
  const wanted = lines.map((_, index) => expected.beginningOf(index)).join('\n');
  const last = lines.at(-1) ?? '';
  return wanted.startsWith(text) || (last === '' && wanted.startsWith(text.slice(0, -1)))
    ? undefined
    : difference(text, wanted);
}

function difference(text: string, wanted: string): string {
  let at = 0;
  while (at < text.length && at < wanted.length && text[at] === wanted[at]) at++;
  const near = JSON.stringify(text.slice(Math.max(0, at - 40), at + 40));
  return `has ${text.length} bytes of ${wanted.length} and differs from byte ${at} on, near ${near}`;
}

function describe(build: Build, { shape }: Submitted): string {
  const attempts = build.attempts.map(({ state, agentName }) => `${state} on ${agentName}`).join(', ');
  return `${shape.name} ${build.title ?? ''} ${build.id} (${build.state}; ${attempts || 'no attempt'})`;
}
