import './cache.css';

import type { CacheGraph } from '@loam/contracts';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useDeferredValue, useMemo, useState } from 'react';

import { Command } from '../../components/copy-button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { formatBytes, plural } from '../../components/format.ts';
import { Skeleton } from '../../components/skeleton.tsx';
import { useHeadingFocus } from '../../components/use-heading-focus.ts';
import { useTitle } from '../../components/use-title.ts';
import { useCacheGraph } from '../../data/queries.ts';
import { layoutForest } from '../../graph/layout.ts';
import { bytesOf, weigh, type WeightKind } from '../../graph/weights.ts';
import { Icicle } from './icicle.tsx';
import { labelOf, matching } from './labels.ts';
import { NodePanel } from './node-panel.tsx';
import { SnapshotTable } from './snapshot-table.tsx';

const route = getRouteApi('/shell/cache');

/** Every snapshot of the farm: a forest of layers on base images. */
export function CacheScreen() {
  useTitle('Cache');
  const graph = useCacheGraph();
  return (
    <div className="page wide cache-page">
      {graph.error ? <ErrorNotice error={graph.error} retry={graph.refetch} /> : null}
      {graph.isPending && !graph.error ? <Skeleton rows={8} height={28} /> : null}
      {graph.data === undefined ? null : graph.data.nodes.length === 0 ? (
        <NoSnapshots />
      ) : (
        <Forest graph={graph.data} />
      )}
    </div>
  );
}

function Forest({ graph }: { graph: CacheGraph }) {
  const { nodes } = graph;
  const search = route.useSearch();
  const navigate = useNavigate();
  // By size, a base image of gigabytes leaves nothing to see of the steps on it.
  const [kind, setKind] = useState<WeightKind>('count');
  const [text, setText] = useState(search.search ?? '');
  const asked = useDeferredValue(text);
  const layout = useMemo(() => layoutForest(weigh(nodes, kind)), [nodes, kind]);
  const labels = useMemo(() => nodes.map(labelOf), [nodes]);
  const matches = useMemo(() => matching(nodes, asked), [nodes, asked]);
  const total = useMemo(() => nodes.reduce((sum, node) => sum + bytesOf(node), 0), [nodes]);
  const selected = search.select === undefined ? -1 : (layout.indexOf.get(search.select) ?? -1);
  const heading = useHeadingFocus(selected === -1);
  const go = (next: { select?: string | undefined; view?: 'table' | undefined }) => {
    const merged = { ...search, ...next };
    const clean = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
    void navigate({ to: '/cache', search: clean, replace: true, resetScroll: false });
  };
  const select = (index: number) => go({ select: index === -1 ? undefined : nodes[index]!.id });
  const isTable = search.view === 'table';
  return (
    <>
      <div className="page-head cache-head">
        <h1 ref={heading} tabIndex={-1}>
          Cache
        </h1>
        <span className="soft numbers">
          {plural(nodes.length, 'snapshot')}, {formatBytes(total)}
        </span>
        <input
          type="search"
          className="input cache-search"
          placeholder="Search op, id or agent  ( / )"
          aria-label="Search snapshots"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || matches === null || matches.size === 0) return;
            const found = [...matches];
            select(found[(found.indexOf(selected) + 1) % found.length]!);
          }}
        />
        <span className="faint numbers" aria-live="polite">
          {matches === null ? '' : matches.size === 0 ? 'none found' : `${matches.size} found, Enter for the next`}
        </span>
        <span className="grow" />
        {isTable ? null : (
          <select
            className="input"
            aria-label="Width stands for"
            value={kind}
            onChange={(event) => setKind(event.target.value as WeightKind)}
          >
            <option value="count">Width: number of ends</option>
            <option value="bytes">Width: size on disk</option>
            <option value="time">Width: time to rebuild</option>
          </select>
        )}
        <div className="row" role="group" aria-label="View">
          <button type="button" className="button" aria-pressed={!isTable} onClick={() => go({ view: undefined })}>
            Layers
          </button>
          <button type="button" className="button" aria-pressed={isTable} onClick={() => go({ view: 'table' })}>
            Table
          </button>
        </div>
      </div>
      {graph.truncated ? (
        <p className="notice tone-ochre">
          The farm holds more than it sent; what is shown is the part used most recently.
        </p>
      ) : null}
      <div className={`cache-columns${selected === -1 ? '' : ' with-panel'}`}>
        {isTable ? (
          <SnapshotTable nodes={nodes} layout={layout} matches={matches} selected={selected} onSelect={select} />
        ) : (
          <Icicle
            nodes={nodes}
            layout={layout}
            labels={labels}
            matches={matches}
            selected={selected}
            onSelect={select}
          />
        )}
        {selected === -1 ? null : (
          <NodePanel key={nodes[selected]!.id} nodes={nodes} layout={layout} index={selected} onSelect={select} />
        )}
      </div>
    </>
  );
}

function NoSnapshots() {
  const heading = useHeadingFocus('none');
  return (
    <div className="panel empty">
      <h2 ref={heading} tabIndex={-1}>
        No snapshots yet
      </h2>
      <p>
        Every step that a build runs leaves a snapshot. They appear here as layers: base images on top, and on each what
        was built from it.
      </p>
      <Command text="loam build -f loam.spec ." what="the command" />
      <Link to="/new" className="button primary">
        Write a spec
      </Link>
    </div>
  );
}
