import type { CacheNode } from '@loam/contracts';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState } from 'react';

import { formatBytes, formatDuration, shortId } from '../../components/format.ts';
import { Age } from '../../components/time.tsx';
import type { Layout } from '../../graph/layout.ts';
import { bytesOf, knownBytesOf } from '../../graph/weights.ts';

interface SnapshotTableProps {
  readonly nodes: readonly CacheNode[];
  readonly layout: Layout;
  readonly matches: ReadonlySet<number> | null;
  readonly selected: number;
  readonly onSelect: (index: number) => void;
}

type SortKey = 'size' | 'time' | 'hits' | 'used' | 'built';

const columns: readonly { key: SortKey; label: string }[] = [
  { key: 'size', label: 'Size' },
  { key: 'time', label: 'Took' },
  { key: 'hits', label: 'Hits' },
  { key: 'used', label: 'Last used' },
  { key: 'built', label: 'Built' },
];

const values: Record<SortKey, (node: CacheNode) => number> = {
  size: bytesOf,
  time: (node) => node.durationMs ?? 0,
  hits: (node) => node.hits,
  used: (node) => node.lastUsedAt,
  built: (node) => node.firstBuiltAt,
};

/** The same snapshots as rows, for readers of tables and of screens. Only the rows in view are in the page. */
export function SnapshotTable({ nodes, matches, selected, onSelect }: SnapshotTableProps) {
  const [sort, setSort] = useState<{ key: SortKey; up: boolean }>({ key: 'size', up: false });
  const order = useMemo(() => {
    const indices = matches === null ? nodes.map((_, index) => index) : [...matches];
    const value = values[sort.key];
    return indices.sort((a, b) => (value(nodes[a]!) - value(nodes[b]!)) * (sort.up ? 1 : -1));
  }, [nodes, matches, sort]);
  const scroller = useRef<HTMLDivElement>(null);
  // oxlint-disable-next-line react/incompatible-library -- the React compiler, which this is about, is not in use
  const rows = useVirtualizer({
    count: order.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 32,
    overscan: 10,
  });
  return (
    <div
      className="panel snapshots"
      ref={scroller}
      role="table"
      aria-label="Snapshots"
      aria-rowcount={order.length + 1}
      tabIndex={0}
    >
      <div className="snapshot-row snapshot-head" role="row" aria-rowindex={1}>
        <span role="columnheader">Op</span>
        <span role="columnheader">Id</span>
        {columns.map(({ key, label }) => (
          <span
            key={key}
            role="columnheader"
            aria-sort={sort.key !== key ? 'none' : sort.up ? 'ascending' : 'descending'}
          >
            <button
              type="button"
              className="sort"
              onClick={() => setSort({ key, up: sort.key === key ? !sort.up : false })}
            >
              {label}
              {sort.key === key ? (sort.up ? ' ↑' : ' ↓') : ''}
            </button>
          </span>
        ))}
        <span role="columnheader">Held by</span>
      </div>
      <div style={{ height: rows.getTotalSize(), position: 'relative' }} role="rowgroup">
        {rows.getVirtualItems().map((item) => {
          const index = order[item.index]!;
          return (
            <div
              key={nodes[index]!.id}
              role="row"
              aria-rowindex={item.index + 2}
              aria-selected={index === selected}
              className="snapshot-row"
              style={{ position: 'absolute', top: item.start, height: item.size }}
            >
              <Cells node={nodes[index]!} onSelect={() => onSelect(index)} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Cells({ node, onSelect }: { node: CacheNode; onSelect: () => void }) {
  const holders = node.replicas.map((replica) => replica.agentName).join(', ');
  return (
    <>
      <span role="cell" className="truncate">
        <button type="button" className="snapshot-op mono truncate" title={node.op} onClick={onSelect}>
          {node.op.replace(/\s+/g, ' ')}
        </button>
      </span>
      <span role="cell" className="mono faint">
        {shortId(node.id)}
      </span>
      <span role="cell">{formatBytes(knownBytesOf(node))}</span>
      <span role="cell">{formatDuration(node.durationMs)}</span>
      <span role="cell">{node.hits}</span>
      <span role="cell" className="soft">
        <Age at={node.lastUsedAt} />
      </span>
      <span role="cell" className="soft">
        <Age at={node.firstBuiltAt} />
      </span>
      <span role="cell" className="soft truncate" title={holders}>
        {holders === '' ? 'nobody' : holders}
      </span>
    </>
  );
}
