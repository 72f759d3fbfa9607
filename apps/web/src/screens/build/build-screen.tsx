import './build.css';

import type { Build, Step } from '@loam/contracts';
import { getRouteApi, useNavigate, useRouterState } from '@tanstack/react-router';
import { useState } from 'react';

import { ErrorBody, ErrorNotice } from '../../components/error-notice.tsx';
import { useKeys } from '../../components/keyboard.ts';
import { Skeleton } from '../../components/skeleton.tsx';
import { useBuild } from '../../data/queries.ts';
import { BuildHeader } from './build-header.tsx';
import { formatPlace, parsePlace, type LogPlace } from './place.ts';
import { StepList } from './step-list.tsx';
import { StepPanel } from './step-panel.tsx';
import { currentStep, nextFailure } from './steps.ts';

const route = getRouteApi('/shell/builds/$id');

/** One build: what it is doing, its steps, and the log of one of them. */
export function BuildScreen() {
  const { id } = route.useParams();
  const build = useBuild(id);
  if (build.data !== undefined) return <Loaded build={build.data} />;
  return (
    <div className="page">
      {build.error ? <ErrorNotice error={build.error} retry={build.refetch} /> : <Skeleton rows={6} />}
    </div>
  );
}

/** A step shows its own error; saying it twice helps nobody. */
function isOfStep(build: Build): boolean {
  return build.stepRuns.some(
    (step) => step.error?.code === build.error?.code && step.error?.message === build.error?.message,
  );
}

function Loaded({ build }: { build: Build }) {
  const place = parsePlace(useRouterState({ select: (state) => state.location.hash }));
  const navigate = useNavigate();
  const [follow, setFollow] = useState(place.from === undefined);
  const steps = build.stepRuns;
  const selected = steps.find((step) => step.position === place.step) ?? currentStep(steps);
  const go = (next: LogPlace) =>
    void navigate({
      to: '/builds/$id',
      params: { id: build.id },
      hash: formatPlace(next),
      replace: true,
      resetScroll: false,
    });
  const select = (step: Step | undefined) => {
    if (step === undefined) return;
    go({ step: step.position });
    document.getElementById(`step-${step.position}`)?.scrollIntoView({ block: 'nearest' });
  };
  const move = (by: number) => {
    const at = selected === undefined ? -1 : steps.indexOf(selected);
    select(steps[Math.max(0, Math.min(steps.length - 1, at + by))]);
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    f: () => select(nextFailure(steps, selected)),
    e: () => setFollow((on) => !on),
  });
  return (
    <div className="page wide build-page">
      <BuildHeader build={build} />
      {build.error === null || isOfStep(build) ? null : <ErrorBody {...build.error} />}
      {steps.length === 0 ? (
        <div className="panel empty">
          <p>{build.waiting ?? 'The steps appear here as soon as an agent has the build.'}</p>
        </div>
      ) : (
        <div className="build-columns">
          <StepList build={build} selected={selected?.position} onSelect={select} />
          {selected === undefined ? null : (
            <StepPanel
              key={selected.position}
              step={selected}
              place={place.step === selected.position ? place : { step: selected.position }}
              onPlace={(next) => {
                // To look at a line is to stop following the end.
                if (next.from !== undefined) setFollow(false);
                go(next);
              }}
              follow={follow}
              onFollow={setFollow}
            />
          )}
        </div>
      )}
    </div>
  );
}
