import type { Build, Step } from '@loam/contracts';

import { firstLine, formatBytes, formatDuration } from '../output/format.ts';
import type { Style } from '../output/style.ts';
import type { FollowEvent } from './follower.ts';
import { LineSplitter } from './line-splitter.ts';

/** Turns what happens into lines for people. */
export interface Renderer {
  render(event: FollowEvent): string;
}

export interface RendererOptions {
  readonly style: Style;
  readonly columns: number;
  /** Lines of logs as they are, without the step's name before them. */
  readonly plain?: boolean;
}

export function createRenderer(options: RendererOptions): Renderer {
  const { style, columns } = options;
  const splitters = new Map<string, LineSplitter>();
  let state = '';
  let waiting: string | null = null;
  let attempts = 0;

  function name(step: Step): string {
    return style.cyan(`[${step.position}]`);
  }

  function logLines(step: Step, lines: readonly string[]): string {
    const prefix = options.plain ? '' : `${style.dim(`${step.position} |`)} `;
    return lines.map((line) => `${prefix}${line}\n`).join('');
  }

  function build(value: Build): string {
    const lines: string[] = [];
    const attempt = value.attempts.at(-1);
    if (attempt && value.attempts.length > attempts) {
      const again = attempts > 0 || attempt.number > 1 ? `attempt ${attempt.number} ` : '';
      lines.push(style.dim(`${again}on ${attempt.agentName}`));
      attempts = value.attempts.length;
    }
    if (value.state === 'queued' && value.waiting !== null && value.waiting !== waiting) {
      lines.push(style.dim(`waiting: ${value.waiting}`));
    }
    waiting = value.waiting;
    if (value.state !== state && state === '' && value.state === 'queued' && value.waiting === null) {
      lines.push(style.dim(`queued in ${value.pool}`));
    }
    state = value.state;
    return lines.map((line) => `${line}\n`).join('');
  }

  function stepLine(step: Step): string {
    const op = firstLine(step.op, Math.max(20, columns - step.position.length - 26));
    const took = step.durationMs === null ? '' : ` ${formatDuration(step.durationMs)}`;
    const size = step.sizeBytes === null ? '' : style.dim(`, ${formatBytes(step.sizeBytes)}`);
    switch (step.state) {
      case 'pending':
        return '';
      case 'running':
        return `${name(step)} ${style.bold(op)}\n`;
      case 'hit':
        return `${name(step)} ${op} ${style.green('cached')}\n`;
      case 'shared':
        return `${name(step)} ${style.green('done')}${took}, built together with another build\n`;
      case 'built':
        return `${name(step)} ${style.green('done')}${took}${size}\n`;
      case 'failed':
        return `${name(step)} ${style.red(`failed: ${failure(step)}`)}${took === '' ? '' : ` after${took}`}\n`;
      case 'cancelled':
        return `${name(step)} ${style.yellow('cancelled')}\n`;
      case 'skipped':
        return `${name(step)} ${style.dim(`${op} skipped`)}\n`;
      default:
        return '';
    }
  }

  return {
    render(event) {
      switch (event.type) {
        case 'build':
          return build(event.build);
        case 'step':
          return stepLine(event.step);
        case 'progress':
          return '';
        case 'log': {
          const key = event.step.logId ?? event.step.position;
          let splitter = splitters.get(key);
          if (!splitter) splitters.set(key, (splitter = new LineSplitter(style)));
          return logLines(event.step, splitter.push(event.bytes));
        }
        case 'log-end': {
          const key = event.step.logId ?? event.step.position;
          const lines = splitters.get(key)?.end() ?? [];
          splitters.delete(key);
          return logLines(event.step, lines);
        }
        default:
          return '';
      }
    },
  };
}

/** What runs at the moment, in one line: steps with their phase, and for how long. */
export function describeRunning(steps: readonly Step[], now: number, columns: number): string {
  const parts = steps
    .filter((step) => step.state === 'running')
    .map((step) => {
      const share =
        step.totalBytes === null || step.currentBytes === null
          ? ''
          : ` ${formatBytes(step.currentBytes)}/${formatBytes(step.totalBytes)}`;
      const time = step.startedAt === null ? '' : ` ${formatDuration(Math.max(0, now - step.startedAt))}`;
      const inPhase =
        step.phaseStartedAt === null || step.phaseStartedAt === step.startedAt
          ? ''
          : ` (${formatDuration(Math.max(0, now - step.phaseStartedAt))})`;
      return `[${step.position}]${step.phase === null ? '' : ` ${step.phase}${inPhase}`}${share}${time}`;
    });
  return parts.join('  ').slice(0, Math.max(10, columns - 1));
}

/** How a step ended, in a few words. */
export function failure(step: Pick<Step, 'exit' | 'error'>): string {
  switch (step.exit?.kind) {
    case 'exited':
      return `exit code ${step.exit.meaning ?? step.exit.code}`;
    case 'signalled':
      return `killed by signal ${step.exit.signal}`;
    case 'out-of-memory':
      return 'out of memory';
    case 'timed-out':
      return 'timed out';
    default:
      return step.error?.message ?? 'unknown reason';
  }
}

/** The last word on a build: one line when it went well, with the reason when it did not. */
export function summarize(build: Build, style: Style): string {
  const took =
    build.startedAt !== null && build.endedAt !== null ? ` in ${formatDuration(build.endedAt - build.startedAt)}` : '';
  const { total, hit, built } = build.steps;
  const steps = `${total} steps, ${hit} cached, ${built} built`;
  if (build.state === 'succeeded') {
    const result = build.result === null ? '' : `\nresult ${build.result}`;
    return `${style.green('succeeded')}${took}: ${steps}${style.dim(result)}\n`;
  }
  if (build.state === 'cancelled') return `${style.yellow('cancelled')}${took}: ${steps}\n`;
  const failed = build.stepRuns.find((step) => step.state === 'failed');
  const error = failed?.error ?? build.error;
  const where = failed ? ` at step ${failed.position}: ${failure(failed)}` : '';
  const why = error ? `\n  ${error.message} ${style.dim(`[${error.code}]`)}\n  ${error.remedy}` : '';
  return `${style.red('failed')}${took}${where}${why}\n`;
}
