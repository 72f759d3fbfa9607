import type { Step } from '@loam/contracts';
import { Link } from '@tanstack/react-router';

import { CopyButton } from '../../components/copy-button.tsx';
import { ErrorBody } from '../../components/error-notice.tsx';
import { formatBytes, formatDuration, shortId } from '../../components/format.ts';
import { StepBadge } from '../../components/states.tsx';
import { LogPane } from '../../log/log-pane.tsx';
import type { LogPlace } from './place.ts';
import { exitText } from './steps.ts';

interface StepPanelProps {
  readonly step: Step;
  readonly place: LogPlace;
  readonly onPlace: (place: LogPlace) => void;
  readonly follow: boolean;
  readonly onFollow: (on: boolean) => void;
}

/** The selected step as written, how it ended, and its log. */
export function StepPanel({ step, place, onPlace, follow, onFollow }: StepPanelProps) {
  const exit = exitText(step);
  const commit = step.phases?.find(({ phase }) => phase === 'committing');
  return (
    <section className="panel step-panel" aria-label={`Step ${step.position}`}>
      <div className="step-head">
        <div className="row wrap">
          <StepBadge state={step.state} />
          {step.durationMs === null ? null : <span className="soft numbers">{formatDuration(step.durationMs)}</span>}
          {commit === undefined ? null : (
            <span className="soft numbers" title="Turning what the step wrote into a layer">
              commit {formatDuration(commit.durationMs)}
            </span>
          )}
          {step.sizeBytes === null ? null : <span className="soft numbers">{formatBytes(step.sizeBytes)}</span>}
          {exit === undefined ? null : <span className={step.state === 'failed' ? 'exit-bad' : 'soft'}>{exit}</span>}
          <span className="grow" />
          {step.stepId === null ? null : (
            <>
              <Link
                to="/cache"
                search={{ select: step.stepId }}
                className="mono"
                title="Show this snapshot in the cache graph"
              >
                {shortId(step.stepId)}
              </Link>
              <CopyButton text={step.stepId} what="the step id" />
            </>
          )}
        </div>
        <pre className="step-text">{step.op}</pre>
        {step.error === null ? null : <ErrorBody {...step.error} extra={exit} />}
      </div>
      {step.logId === null ? (
        <NoLog step={step} />
      ) : (
        <LogPane
          logId={step.logId}
          fromEarlierBuild={step.state === 'hit'}
          running={step.state === 'running'}
          failed={step.state === 'failed'}
          lines={place.from === undefined ? undefined : { from: place.from, to: place.to ?? place.from }}
          onLines={(lines) => onPlace({ step: step.position, ...lines })}
          follow={follow}
          onFollow={onFollow}
        />
      )}
    </section>
  );
}

function NoLog({ step }: { step: Step }) {
  const text =
    step.state === 'pending'
      ? 'This step has not started.'
      : step.state === 'hit'
        ? 'A cache hit. The log of the build that made this snapshot is not kept any more.'
        : step.state === 'skipped'
          ? 'Not needed, or not reached.'
          : 'This step wrote no log.';
  return <p className="empty">{text}</p>;
}
