import type { Build } from '@loam/contracts';
import { Link, useNavigate } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { CopyButton } from '../../components/copy-button.tsx';
import { formatBytes, formatTime, plural } from '../../components/format.ts';
import { BuildBadge } from '../../components/states.tsx';
import { Age, Elapsed } from '../../components/time.tsx';
import { useHeadingFocus } from '../../components/use-heading-focus.ts';
import { useTitle } from '../../components/use-title.ts';
import { hasEnded, useBuildAction } from '../../data/queries.ts';

export function BuildHeader({ build }: { build: Build }) {
  const navigate = useNavigate();
  const cancel = useBuildAction('cancel');
  const retry = useBuildAction('retry');
  const ended = hasEnded(build);
  const name = build.title ?? build.id;
  const heading = useHeadingFocus(build.id);
  useTitle(`${build.state === 'running' ? '● ' : ''}${name} · ${build.state}`);
  return (
    <header className="build-header">
      <div className="row wrap spread">
        <div className="row build-name-row">
          <BuildBadge build={build} />
          <h1 ref={heading} tabIndex={-1} className="truncate">
            {name}
          </h1>
        </div>
        <div className="row">
          {ended ? (
            <button
              key="retry"
              type="button"
              className="button"
              disabled={retry.isPending}
              onClick={() =>
                retry.mutate(build.id, {
                  onSuccess: (next) => void navigate({ to: '/builds/$id', params: { id: next.id } }),
                })
              }
            >
              Run again
            </button>
          ) : (
            <button
              key="cancel"
              type="button"
              className="button danger"
              disabled={cancel.isPending || build.cancelRequested}
              onClick={() => {
                cancel.mutate(build.id);
                // The button is about to go.
                heading.current?.focus({ preventScroll: true });
              }}
            >
              {build.cancelRequested ? 'Cancelling…' : 'Cancel'}
            </button>
          )}
          <Link to="/new" search={{ from: build.id }} className="button">
            Edit and run again
          </Link>
        </div>
      </div>
      {build.waiting === null || ended ? null : <p className="notice tone-ochre">{build.waiting}</p>}
      <Facts build={build} />
    </header>
  );
}

function Facts({ build }: { build: Build }) {
  const attempt = build.attempts.at(-1);
  const hits = build.stepRuns.filter((step) => step.state === 'hit').length;
  const built = build.stepRuns.filter((step) => step.state === 'built' || step.state === 'shared');
  const added = built.reduce((sum, step) => sum + (step.sizeBytes ?? 0), 0);
  return (
    <dl className="facts">
      <Fact name="Time">
        <Elapsed start={build.startedAt} end={build.endedAt} />
      </Fact>
      <Fact name="Steps">
        {hits} hit, {built.length} built of {build.stepRuns.length}
      </Fact>
      <Fact name="Added">{formatBytes(added)}</Fact>
      <Fact name="Agent">
        {attempt?.agentName ?? '–'} <span className="faint">in {build.pool}</span>
      </Fact>
      {build.attempts.length > 1 ? (
        <Fact name="Attempt">
          <span title={build.attempts.map((each) => `${each.number}: ${each.state} on ${each.agentName}`).join('\n')}>
            {attempt?.number}, after {plural(build.attempts.length - 1, 'lost one', 'lost ones')}
          </span>
        </Fact>
      ) : null}
      <Fact name="Submitted">
        <span title={formatTime(build.createdAt)}>
          <Age at={build.createdAt} /> by {build.createdBy}
        </span>
      </Fact>
      {build.retryOf === null ? null : (
        <Fact name="Run again of">
          <Link to="/builds/$id" params={{ id: build.retryOf }} className="mono">
            {build.retryOf}
          </Link>
        </Fact>
      )}
      <Fact name="Id">
        <span className="mono">{build.id}</span> <CopyButton text={build.id} what="the build's id" />
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="numbers">{children}</dd>
    </div>
  );
}
