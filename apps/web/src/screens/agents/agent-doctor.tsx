import './doctor.css';

import type { Agent, DoctorReport, DoctorSummary } from '@loam/contracts';
import { useId, useState } from 'react';

import { ErrorNotice } from '../../components/error-notice.tsx';
import { plural } from '../../components/format.ts';
import { Glyph } from '../../components/glyph.tsx';
import { Skeleton } from '../../components/skeleton.tsx';
import { Age } from '../../components/time.tsx';
import { useNow } from '../../components/use-now.ts';
import { useDoctorReport, useDoctorRequest } from '../../data/doctor-queries.ts';
import { FindingList } from './finding-list.tsx';

/** After that nobody should wait for a report any more. */
const patienceMs = 90_000;

/** What the doctor of an agent found: one line, and all of it below when asked for, or when something is wrong. */
export function AgentDoctor({ agent }: { agent: Agent }) {
  const [opened, setOpened] = useState<boolean | null>(null);
  const isOpen = opened ?? (agent.doctor?.problems ?? 0) > 0;
  const report = useDoctorReport(agent, isOpen);
  const id = useId();
  return (
    <section className="doctor" aria-label={`Health of ${agent.name}`}>
      <div className="row wrap">
        <button
          type="button"
          className="button quiet small doctor-toggle"
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => setOpened(!isOpen)}
        >
          <Verdict doctor={agent.doctor} />
          <span className="faint" aria-hidden>
            {isOpen ? '▾' : '▸'}
          </span>
        </button>
        {agent.doctor === null ? null : (
          <span className="faint doctor-when">
            looked <Age at={agent.doctor.at} />
          </span>
        )}
        <span className="grow" />
        <RunAgain agent={agent} />
      </div>
      <div id={id} hidden={!isOpen}>
        {isOpen ? (
          <Report agent={agent} report={report.data} isPending={report.isPending} error={report.error} />
        ) : null}
      </div>
    </section>
  );
}

function Verdict({ doctor }: { doctor: DoctorSummary | null }) {
  if (doctor === null) return <>Not examined yet</>;
  const { problems, warnings } = doctor;
  if (problems === 0 && warnings === 0) {
    return (
      <>
        <Glyph shape="check" tone="moss" /> Healthy
      </>
    );
  }
  return (
    <>
      {problems === 0 ? null : (
        <span className="badge tone-clay">
          <Glyph shape="cross" size={12} />
          {plural(problems, 'problem')}
        </span>
      )}
      {warnings === 0 ? null : (
        <span className="badge tone-ochre">
          <Glyph shape="warning" size={12} />
          {plural(warnings, 'warning')}
        </span>
      )}
    </>
  );
}

interface ReportProps {
  readonly agent: Agent;
  readonly report: DoctorReport | null | undefined;
  readonly isPending: boolean;
  readonly error: Error | null;
}

function Report({ agent, report, isPending, error }: ReportProps) {
  if (agent.doctor === null) {
    return (
      <p className="soft doctor-empty">
        No report has come from this agent. It examines its host at its start, every hour, and when you ask it to; an
        agent of an older version does not. On the host, <code>loam-agent doctor</code> says the same.
      </p>
    );
  }
  if (error) return <ErrorNotice error={error} />;
  if (isPending || report === undefined) return <Skeleton rows={3} height={24} />;
  return report === null ? null : <FindingList report={report} />;
}

function RunAgain({ agent }: { agent: Agent }) {
  const request = useDoctorRequest(agent);
  const requestedAt = request.data?.requestedAt;
  const isOut = requestedAt !== undefined && (agent.doctor?.at ?? 0) < requestedAt;
  const now = useNow(isOut);
  // By this page's clock alone: the farm's may be another.
  const isLate = isOut && now - request.submittedAt > patienceMs;
  const isAway = agent.state === 'offline' || agent.state === 'revoked';
  const isBusy = request.isPending || (isOut && !isLate);
  return (
    <>
      {request.error ? <span className="tone-clay doctor-note">{request.error.message}</span> : null}
      {isLate ? <span className="tone-clay doctor-note">No report came. Is the agent of this version?</span> : null}
      <button
        type="button"
        className="button small"
        disabled={isAway || isBusy}
        title={isAway ? 'The agent is not connected' : 'Have the agent examine its host now'}
        onClick={() => request.mutate()}
      >
        {isBusy ? <Glyph shape="spinner" size={12} /> : null}
        <span aria-live="polite">{isBusy ? 'Looking' : agent.doctor === null ? 'Examine' : 'Look again'}</span>
      </button>
    </>
  );
}
