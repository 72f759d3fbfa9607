import type { PlannedStep } from '@loam/contracts';
import { keepPreviousData, useQuery } from '@tanstack/react-query';

import { ErrorNotice } from '../../components/error-notice.tsx';
import { formatBytes, formatDuration, plural } from '../../components/format.ts';
import { PlanBadge } from '../../components/states.tsx';
import { api } from '../../data/api.ts';
import { useSettled } from './use-settled.ts';

interface PlanPanelProps {
  readonly spec: string;
  readonly pool: string;
  readonly context: string | null;
  readonly refresh: boolean;
  /** The spec has errors: the last plan stays, marked as old. */
  readonly wrong: boolean;
}

/** What the build would do, before it runs. */
export function PlanPanel({ spec, pool, context, refresh, wrong }: PlanPanelProps) {
  const asked = useSettled(spec, 400);
  const plan = useQuery({
    queryKey: ['plan', asked, pool, context, refresh],
    queryFn: ({ signal }) =>
      api.plan({ spec: asked, pool, ...(context ? { context } : {}), ...(refresh ? { refresh } : {}) }, signal),
    enabled: !wrong && asked === spec && asked.trim() !== '',
    placeholderData: keepPreviousData,
    // What is cached changes with every build anywhere.
    staleTime: 0,
  });
  const steps = plan.data?.steps ?? [];
  const old = wrong || plan.isPlaceholderData || asked !== spec;
  return (
    <section className="panel" aria-label="Plan" aria-busy={plan.isFetching}>
      <div className="panel-head">
        <h2>Plan</h2>
        <span className="soft grow truncate">{plan.data === undefined ? '' : summary(steps)}</span>
        <button
          type="button"
          className="button quiet small"
          disabled={plan.data === undefined || plan.isFetching}
          onClick={() => void plan.refetch()}
        >
          {plan.isFetching ? 'Asking…' : 'Ask again'}
        </button>
      </div>
      {plan.error && !wrong ? <ErrorNotice error={plan.error} retry={plan.refetch} /> : null}
      {steps.length === 0 ? (
        <p className="plan-empty faint">
          {spec.trim() === ''
            ? 'Each step appears here as a hit, or a miss with the reason, while you write.'
            : wrong
              ? 'Waiting for a spec without errors.'
              : plan.isFetching
                ? 'Asking…'
                : ''}
        </p>
      ) : (
        <>
          <ol className={`plan-steps${old ? ' plan-old' : ''}`}>
            {steps.map((step) => (
              <PlanRow key={step.position} step={step} explain={plan.data?.agentName != null} />
            ))}
          </ol>
          <p className="plan-foot faint">
            {plan.data?.agentName == null
              ? `No agent of ${pool} is connected, so nobody can say what is cached.`
              : `As ${plan.data.agentName} sees it.`}
          </p>
        </>
      )}
    </section>
  );
}

/** `explain` is off where every step would give the same reason, which stands below them once. */
function PlanRow({ step, explain }: { step: PlannedStep; explain: boolean }) {
  return (
    <li className="plan-step" style={{ paddingLeft: 12 + 12 * step.stage.length }}>
      <div className="row">
        <PlanBadge state={step.state} />
        <code className="truncate grow" title={step.op}>
          {step.op.replace(/\s+/g, ' ')}
        </code>
        <span className="faint numbers" title={step.state === 'hit' ? 'Time saved' : 'What it took last time'}>
          {step.lastDurationMs === null ? '' : formatDuration(step.lastDurationMs)}
        </span>
        {step.sizeBytes === null ? null : <span className="faint numbers">{formatBytes(step.sizeBytes)}</span>}
      </div>
      {step.reason === null || !explain ? null : <p className="soft plan-reason">{step.reason}</p>}
    </li>
  );
}

function summary(steps: readonly PlannedStep[]): string {
  const count = (state: PlannedStep['state']) => steps.filter((step) => step.state === state).length;
  const parts = [`${count('hit')} of ${plural(steps.length, 'step')} cached`];
  const times = steps.filter((step) => step.state === 'miss').map((step) => step.lastDurationMs);
  const known = times.flatMap((time) => time ?? []);
  if (known.length > 0)
    parts.push(
      `about ${formatDuration(known.reduce((sum, time) => sum + time, 0))}${known.length < times.length ? ' or more' : ''}`,
    );
  if (count('in-flight') > 0) parts.push(`${count('in-flight')} running elsewhere`);
  return parts.join(', ');
}
