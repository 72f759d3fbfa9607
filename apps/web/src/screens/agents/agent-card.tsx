import type { Agent } from '@loam/contracts';
import { Link } from '@tanstack/react-router';

import { formatBytes, formatCount, formatTime, plural } from '../../components/format.ts';
import { AgentBadge } from '../../components/states.tsx';
import { Age, Elapsed } from '../../components/time.tsx';
import { useAgentAction } from '../../data/queries.ts';
import { AgentDoctor } from './agent-doctor.tsx';

/** One agent: its state and pool, what each slot does, and what it runs on. */
export function AgentCard({ agent, onRevoke }: { agent: Agent; onRevoke: () => void }) {
  const action = useAgentAction();
  const draining = agent.state === 'draining';
  const gone = agent.state === 'revoked';
  return (
    <li className={`panel agent${gone ? ' agent-gone' : ''}`}>
      <div className="row wrap agent-head">
        <AgentBadge state={agent.state} />
        <h2 className="truncate">{agent.name}</h2>
        <span className="soft">{agent.pool}</span>
        <span className="grow" />
        <span className="faint agent-seen">
          {agent.state === 'online' ? 'seen ' : 'last seen '}
          <Age at={agent.lastSeenAt} />
        </span>
        {gone ? null : (
          <>
            <button
              type="button"
              className="button small"
              disabled={action.isPending}
              title={draining ? 'Let it take new builds again' : 'Finish what it has and take nothing new'}
              onClick={() => action.mutate({ id: agent.id, action: draining ? 'resume' : 'drain' })}
            >
              {draining ? 'Resume' : 'Drain'}
            </button>
            <button type="button" className="button small danger" onClick={onRevoke}>
              Revoke
            </button>
          </>
        )}
      </div>
      {agent.reason === null ? null : (
        <p className="notice tone-clay">
          <strong>{agent.state === 'quarantined' ? 'Quarantined: ' : ''}</strong>
          {agent.reason}
        </p>
      )}
      {gone ? null : <Slots agent={agent} />}
      <Facts agent={agent} />
      {gone ? null : <AgentDoctor agent={agent} />}
    </li>
  );
}

function Slots({ agent }: { agent: Agent }) {
  const free = Math.max(0, agent.slots - agent.running.length);
  return (
    <ul className="slots" aria-label="Slots">
      {agent.running.map((run) => (
        <li key={run.buildId} className="slot busy">
          <Link to="/builds/$id" params={{ id: run.buildId }} className="truncate">
            {run.title ?? run.buildId}
          </Link>
          <span className="soft truncate">
            {run.position === null ? 'starting' : `step ${run.position}`} · <Elapsed start={run.startedAt} end={null} />
          </span>
        </li>
      ))}
      {free === 0 ? null : (
        <li className="slot faint">{agent.state === 'online' ? plural(free, 'free slot') : plural(free, 'slot')}</li>
      )}
    </ul>
  );
}

function Facts({ agent }: { agent: Agent }) {
  const { facts } = agent;
  const used = facts === null ? 0 : facts.diskTotalBytes - facts.diskFreeBytes;
  const full = facts === null || facts.diskTotalBytes === 0 ? 0 : used / facts.diskTotalBytes;
  return (
    <p className="agent-facts soft numbers">
      {facts === null ? (
        <span>It has not reported yet.</span>
      ) : (
        <>
          <span>{facts.platform}</span>
          <span>agent {facts.version}</span>
          <span>containerd {facts.containerd}</span>
          <span>
            {plural(facts.cpus, 'CPU')}, {formatBytes(facts.memoryBytes)}
          </span>
          <span className={full > 0.9 ? 'agent-full' : undefined}>
            <progress className="disk" max={1} value={full} aria-label="Disk in use" />{' '}
            {formatBytes(facts.diskFreeBytes)} free of {formatBytes(facts.diskTotalBytes)}
          </span>
        </>
      )}
      <span>
        {formatCount(agent.snapshots)} snapshots, {formatBytes(agent.snapshotBytes)}
      </span>
      <span title={agent.id}>enrolled {formatTime(agent.enrolledAt)}</span>
    </p>
  );
}
