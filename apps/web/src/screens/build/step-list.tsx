import type { Build, Step } from '@loam/contracts';

import { formatBytes, formatDuration } from '../../components/format.ts';
import { StepGlyph, stepTone } from '../../components/states.tsx';
import { useNow } from '../../components/use-now.ts';
import { hasEnded } from '../../data/queries.ts';
import { groupByStage, opBody } from './steps.ts';

interface StepListProps {
  readonly build: Build;
  readonly selected: string | undefined;
  readonly onSelect: (step: Step) => void;
}

/** The steps in their nested builds, each with its share of the attempt's time as a bar. */
export function StepList({ build, selected, onSelect }: StepListProps) {
  const now = useNow(!hasEnded(build));
  const starts = build.stepRuns.flatMap((step) => step.startedAt ?? []);
  const start = starts.length === 0 ? 0 : Math.min(...starts);
  const end = Math.max(
    start + 1,
    ...build.stepRuns.flatMap((step) => (step.startedAt === null ? [] : (step.endedAt ?? now))),
  );
  return (
    <nav className="panel steps" aria-label="Steps">
      {groupByStage(build.stepRuns).map((group) => (
        <section
          key={`${group.path.join('/')}:${group.steps[0]!.position}`}
          style={{ paddingLeft: 14 * group.path.length }}
        >
          <h2 className="stage-name">{group.path.length === 0 ? 'main' : `build ${group.path.join(' / ')}`}</h2>
          <ol>
            {group.steps.map((step) => (
              <StepRow
                key={step.position}
                step={step}
                selected={step.position === selected}
                onSelect={onSelect}
                span={
                  step.startedAt === null
                    ? null
                    : [(step.startedAt - start) / (end - start), ((step.endedAt ?? now) - start) / (end - start)]
                }
                now={now}
              />
            ))}
          </ol>
        </section>
      ))}
      <p className="steps-keys faint">
        <kbd>j</kbd> <kbd>k</kbd> step · <kbd>f</kbd> failure · <kbd>e</kbd> follow
      </p>
    </nav>
  );
}

interface StepRowProps {
  readonly step: Step;
  readonly selected: boolean;
  readonly onSelect: (step: Step) => void;
  readonly span: readonly [number, number] | null;
  readonly now: number;
}

function StepRow({ step, selected, onSelect, span, now }: StepRowProps) {
  const time = step.state === 'running' && step.startedAt !== null ? now - step.startedAt : step.durationMs;
  return (
    <li>
      <button
        type="button"
        id={`step-${step.position}`}
        className={`step-row tone-${stepTone(step.state)}`}
        aria-current={selected}
        onClick={() => onSelect(step)}
      >
        <StepGlyph state={step.state} />
        <span className="visually-hidden">{step.state}</span>
        <span className="step-op truncate mono" title={step.op}>
          <Op step={step} />
        </span>
        <span className="step-side numbers">
          {step.sizeBytes ? <span>{formatBytes(step.sizeBytes)}</span> : null}
          <b>{step.state === 'hit' ? 'hit' : time === null ? '' : formatDuration(time)}</b>
        </span>
        <Progress step={step} now={now} />
        <span className="step-time" aria-hidden="true">
          {span === null ? null : (
            <i style={{ left: `${span[0] * 100}%`, width: `max(2px, ${(span[1] - span[0]) * 100}%)` }} />
          )}
        </span>
      </button>
    </li>
  );
}

/** From here on it matters how long a phase takes: a commit on Windows may take minutes. */
const slowPhaseMs = 2000;

function Op({ step }: { step: Step }) {
  return (
    <>
      <b>{step.kind}</b> {opBody(step.op)}
    </>
  );
}

function Progress({ step, now }: { step: Step; now: number }) {
  // `running` says no more than the spinner does.
  if (step.state !== 'running' || step.phase === null || step.phase === 'running') return null;
  const bytes =
    step.currentBytes === null
      ? ''
      : ` ${formatBytes(step.currentBytes)}${step.totalBytes === null ? '' : ` of ${formatBytes(step.totalBytes)}`}`;
  const since = step.phaseStartedAt === null ? 0 : now - step.phaseStartedAt;
  return (
    <span className="step-phase soft numbers">
      {step.phase}
      {bytes}
      {since < slowPhaseMs ? null : ` · ${formatDuration(since)}`}
      {step.totalBytes === null || step.totalBytes === 0 ? null : (
        <progress max={step.totalBytes} value={step.currentBytes ?? 0} aria-label={step.phase} />
      )}
    </span>
  );
}
