import type { CacheNode } from '@loam/contracts';
import { Link } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { CopyButton } from '../../components/copy-button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { formatBytes, formatDuration, formatTime, plural, shortId } from '../../components/format.ts';
import { Age } from '../../components/time.tsx';
import { logUrl } from '../../data/api.ts';
import { useCacheNode } from '../../data/queries.ts';
import { subtree, type Layout } from '../../graph/layout.ts';
import { bytesOf, knownBytesOf } from '../../graph/weights.ts';
import { DeleteDialog } from './delete-dialog.tsx';

interface NodePanelProps {
  readonly nodes: readonly CacheNode[];
  readonly layout: Layout;
  readonly index: number;
  readonly onSelect: (index: number) => void;
}

/** All about one snapshot. */
export function NodePanel({ nodes, layout, index, onSelect }: NodePanelProps) {
  const node = nodes[index]!;
  const detail = useCacheNode(node.id);
  const [deleting, setDeleting] = useState(false);
  const below = subtree(layout, index);
  const parent = layout.parent[index]!;
  return (
    <aside className="panel node-panel" aria-label="Selected snapshot">
      <div className="panel-head">
        <h2 className="grow">{node.kind}</h2>
        <button type="button" className="button quiet small" onClick={() => onSelect(-1)}>
          Close
        </button>
      </div>
      <div className="node-body stack">
        <pre className="node-op">{node.op}</pre>
        <dl className="node-facts numbers">
          <Fact name="Step id">
            <span className="mono">{shortId(node.id)}</span> <CopyButton text={node.id} what="the step id" />
          </Fact>
          <Fact name="Size">
            {formatBytes(knownBytesOf(node))}
            <span className="faint">
              {' '}
              own, {formatBytes(below.reduce((sum, at) => sum + bytesOf(nodes[at]!), 0))} with the{' '}
              {plural(below.length - 1, 'snapshot')} on it
            </span>
          </Fact>
          <Fact name="Took">{formatDuration(node.durationMs)}</Fact>
          <Fact name="Hits">{node.hits}</Fact>
          <Fact name="Platform">{node.platform}</Fact>
          <Fact name="Built">
            <span title={formatTime(node.firstBuiltAt)}>
              <Age at={node.firstBuiltAt} />
            </span>
            , used <Age at={node.lastUsedAt} />
          </Fact>
          <Fact name="Parent">
            {parent === -1 ? (
              <span className="faint">none: a base</span>
            ) : (
              <button type="button" className="link mono truncate" onClick={() => onSelect(parent)}>
                {shortId(nodes[parent]!.id)}
              </button>
            )}
          </Fact>
          {node.copiesFrom.length === 0 ? null : (
            <Fact name="Copies from">
              {node.copiesFrom.map((id) => (
                <button
                  key={id}
                  type="button"
                  className="link mono"
                  disabled={!layout.indexOf.has(id)}
                  onClick={() => onSelect(layout.indexOf.get(id) ?? -1)}
                >
                  {shortId(id)}
                </button>
              ))}
            </Fact>
          )}
        </dl>
        <Replicas node={node} />
        {detail.error ? <ErrorNotice error={detail.error} retry={detail.refetch} /> : null}
        {detail.data === undefined ? null : (
          <>
            <Builds first={detail.data.firstBuildId} builds={detail.data.builds} logId={detail.data.logId} />
            <details open>
              <summary className="soft">What the step id is made of</summary>
              <pre className="node-record">{JSON.stringify(detail.data.record, null, 1)}</pre>
            </details>
          </>
        )}
        <div>
          <button type="button" className="button danger" onClick={() => setDeleting(true)}>
            {below.length === 1 ? 'Delete…' : `Delete with the ${plural(below.length - 1, 'snapshot')} on it…`}
          </button>
        </div>
      </div>
      {deleting ? (
        <DeleteDialog
          id={node.id}
          onClose={(done) => {
            setDeleting(false);
            if (done) onSelect(-1);
          }}
        />
      ) : null}
    </aside>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Replicas({ node }: { node: CacheNode }) {
  if (node.replicas.length === 0)
    return (
      <p className="notice tone-ochre">
        No agent holds it any more: only its record is left. A build that needs it makes it anew.
      </p>
    );
  return (
    <div>
      <h3>Held by</h3>
      <ul>
        {node.replicas.map((replica) => (
          <li key={replica.agentId} className="row spread numbers">
            <span className="truncate">{replica.agentName}</span>
            <span className="soft">
              {formatBytes(replica.sizeBytes)}, used <Age at={replica.lastUsedAt} />
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

interface BuildsProps {
  readonly first: string | null;
  readonly builds: readonly { id: string; title: string | null; createdAt: number }[];
  readonly logId: string | null;
}

function Builds({ first, builds, logId }: BuildsProps) {
  return (
    <div>
      <h3>Builds that used it</h3>
      <ul>
        {builds.map((build) => (
          <li key={build.id} className="row spread">
            <Link to="/builds/$id" params={{ id: build.id }} className="truncate">
              {build.title ?? build.id}
            </Link>
            <span className="soft">
              <Age at={build.createdAt} />
            </span>
          </li>
        ))}
      </ul>
      <p className="row">
        {first === null ? null : (
          <Link to="/builds/$id" params={{ id: first }}>
            First build
          </Link>
        )}
        {logId === null ? null : <a href={logUrl(logId)}>Its log</a>}
      </p>
    </div>
  );
}
