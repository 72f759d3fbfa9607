import type { BuildSummary } from '@loam/contracts';
import { Link } from '@tanstack/react-router';

import { BuildBadge } from '../../components/states.tsx';
import { Age, Elapsed } from '../../components/time.tsx';
import { shortBuildId } from './build-name.ts';

/** One build in the list. What it waits for, or why it failed, stands under its title. */
export function BuildRow({ build }: { build: BuildSummary }) {
  const reason = build.error?.message ?? build.waiting;
  return (
    <li className="build-row">
      <div className="build-state">
        <BuildBadge build={build} />
      </div>
      <div className="build-name">
        <Link to="/builds/$id" params={{ id: build.id }} className="build-title truncate">
          {build.title ?? <span className="mono">{shortBuildId(build.id)}</span>}
        </Link>
        <span className={`truncate ${build.error ? 'build-error' : 'faint'}`} title={reason ?? undefined}>
          {reason ?? `${shortBuildId(build.id)} by ${build.createdBy}`}
        </span>
      </div>
      <div className="build-where truncate soft" title={build.agentName ?? undefined}>
        {build.pool}
        {build.agentName === null ? '' : ` / ${build.agentName}`}
      </div>
      <StepsBar build={build} />
      <div className="build-time numbers">
        <Elapsed start={build.startedAt} end={build.endedAt} />
        <span className="faint">
          <Age at={build.createdAt} />
        </span>
      </div>
    </li>
  );
}

/** How much of the build was already there, as a bar and in words. */
function StepsBar({ build }: { build: BuildSummary }) {
  const { total, hit, built, failed, running } = build.steps;
  if (total === 0) return <div className="build-steps faint">–</div>;
  const words = [`${hit} hit`, `${built} built`];
  if (failed > 0) words.push(`${failed} failed`);
  return (
    <div className="build-steps" title={`${words.join(', ')} of ${total} steps`}>
      <div className="steps-bar" aria-hidden="true">
        {(
          [
            ['hit', hit],
            ['built', built],
            ['running', running],
            ['failed', failed],
          ] as const
        ).map(([name, count]) =>
          count === 0 ? null : <i key={name} className={`bar-${name}`} style={{ flexGrow: count }} />,
        )}
        <i style={{ flexGrow: Math.max(0, total - hit - built - running - failed) }} />
      </div>
      <span className="soft numbers truncate">{words.join(' · ')}</span>
    </div>
  );
}
