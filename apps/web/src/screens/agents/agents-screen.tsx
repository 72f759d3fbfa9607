import './agents.css';

import type { Agent } from '@loam/contracts';
import { useState } from 'react';

import { Dialog } from '../../components/dialog.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { plural } from '../../components/format.ts';
import { Skeleton } from '../../components/skeleton.tsx';
import { useTitle } from '../../components/use-title.ts';
import { useAgentAction, useAgents } from '../../data/queries.ts';
import { AgentCard } from './agent-card.tsx';
import { EnrolDialog } from './enrol-dialog.tsx';
import { summaryOf } from './summary.ts';

const order: Record<Agent['state'], number> = { quarantined: 0, online: 1, draining: 2, offline: 3, revoked: 4 };

/** The hosts that build. */
export function AgentsScreen() {
  useTitle('Agents');
  const agents = useAgents();
  const [enrolling, setEnrolling] = useState(false);
  const [revoking, setRevoking] = useState<Agent | null>(null);
  const list = (agents.data ?? []).toSorted((a, b) => order[a.state] - order[b.state] || a.name.localeCompare(b.name));
  return (
    <div className="page">
      <div className="page-head">
        <h1>Agents</h1>
        <span className="soft numbers grow">{agents.data === undefined ? '' : summaryOf(list)}</span>
        <button type="button" className="button primary" onClick={() => setEnrolling(true)}>
          Add an agent
        </button>
      </div>
      {agents.error ? <ErrorNotice error={agents.error} retry={agents.refetch} /> : null}
      {agents.isPending && !agents.error ? <Skeleton rows={3} height={88} /> : null}
      {agents.data !== undefined && list.length === 0 ? (
        <div className="panel empty">
          <h2>No agents</h2>
          <p>
            Builds wait until a host joins. You get one line to paste on it; the host needs only an outbound connection
            to this farm.
          </p>
          <button type="button" className="button primary" onClick={() => setEnrolling(true)}>
            Add an agent
          </button>
        </div>
      ) : null}
      <ul className="stack agents">
        {list.map((agent) => (
          <AgentCard key={agent.id} agent={agent} onRevoke={() => setRevoking(agent)} />
        ))}
      </ul>
      {enrolling ? <EnrolDialog onClose={() => setEnrolling(false)} /> : null}
      {revoking === null ? null : <RevokeDialog agent={revoking} onClose={() => setRevoking(null)} />}
    </div>
  );
}

function RevokeDialog({ agent, onClose }: { agent: Agent; onClose: () => void }) {
  const action = useAgentAction();
  return (
    <Dialog
      title={`Revoke ${agent.name}?`}
      onClose={onClose}
      actions={
        <>
          <button type="button" className="button" autoFocus onClick={onClose}>
            Keep it
          </button>
          <button
            type="button"
            className="button primary danger"
            disabled={action.isPending}
            onClick={() => action.mutate({ id: agent.id, action: 'revoke' }, { onSettled: onClose })}
          >
            Revoke
          </button>
        </>
      }
    >
      <p>Its credential stops working at once and for good. The host can only come back by being enrolled anew.</p>
      {agent.running.length > 0 ? (
        <p className="notice tone-ochre">
          It is running {plural(agent.running.length, 'build')}; each starts again on another agent of the pool. To let
          them finish first, drain the agent.
        </p>
      ) : null}
    </Dialog>
  );
}
