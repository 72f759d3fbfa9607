import './builds.css';

import type { BuildSummary } from '@loam/contracts';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useEffect, useEffectEvent, useState } from 'react';

import { Command } from '../../components/copy-button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { useKeys } from '../../components/keyboard.ts';
import { Skeleton } from '../../components/skeleton.tsx';
import { useTitle } from '../../components/use-title.ts';
import type { BuildFilter } from '../../data/live-cache.ts';
import { useBuilds, usePools } from '../../data/queries.ts';
import { BuildRow } from './build-row.tsx';

const route = getRouteApi('/shell/');
const states: readonly BuildSummary['state'][] = ['queued', 'running', 'succeeded', 'failed', 'cancelled'];

/** All builds, newest first, live. */
export function BuildsScreen() {
  useTitle('Builds');
  const filter: BuildFilter = route.useSearch();
  const builds = useBuilds(filter);
  const rows = builds.data?.pages.flatMap((page) => page.items) ?? [];
  const filtered = filter.state !== undefined || filter.pool !== undefined || filter.search !== undefined;
  useRowKeys();
  return (
    <div className="page">
      <div className="page-head">
        <h1>Builds</h1>
        <Filters filter={filter} />
        <Link to="/new" className="button primary">
          New build
        </Link>
      </div>
      {builds.error ? <ErrorNotice error={builds.error} retry={builds.refetch} /> : null}
      {builds.isPending && !builds.error ? <Skeleton rows={8} height={44} /> : null}
      {builds.data !== undefined && rows.length === 0 ? filtered ? <NoMatch /> : <NoBuilds /> : null}
      {rows.length === 0 ? null : (
        <ul className="panel builds" aria-label="Builds" aria-busy={builds.isFetching}>
          {rows.map((build) => (
            <BuildRow key={build.id} build={build} />
          ))}
        </ul>
      )}
      {builds.hasNextPage ? (
        <div className="builds-more">
          <button
            type="button"
            className="button"
            disabled={builds.isFetchingNextPage}
            onClick={() => void builds.fetchNextPage()}
          >
            {builds.isFetchingNextPage ? 'Loading…' : 'Load older builds'}
          </button>
        </div>
      ) : null}
    </div>
  );
}

function Filters({ filter }: { filter: BuildFilter }) {
  const navigate = useNavigate();
  const pools = usePools();
  const [text, setText] = useState(filter.search ?? '');
  const change = (next: BuildFilter) => {
    const merged = { ...filter, ...next };
    const search = Object.fromEntries(
      Object.entries(merged).filter(([, value]) => value !== undefined && value !== ''),
    );
    void navigate({ to: '/', search, replace: true });
  };
  const searchFor = useEffectEvent((found: string) => change({ search: found }));
  useEffect(() => {
    if (text === (filter.search ?? '')) return;
    const timer = setTimeout(() => searchFor(text), 250);
    return () => clearTimeout(timer);
  }, [text, filter.search]);
  return (
    <form className="builds-filters grow" role="search" onSubmit={(event) => event.preventDefault()}>
      <input
        type="search"
        className="input grow"
        placeholder="Search title, id or spec  ( / )"
        aria-label="Search builds"
        value={text}
        maxLength={200}
        onChange={(event) => setText(event.target.value)}
      />
      <select
        className="input"
        aria-label="State"
        value={filter.state ?? ''}
        onChange={(event) => change({ state: states.find((state) => state === event.target.value) })}
      >
        <option value="">Any state</option>
        {states.map((state) => (
          <option key={state} value={state}>
            {state[0]!.toUpperCase() + state.slice(1)}
          </option>
        ))}
      </select>
      <select
        className="input"
        aria-label="Pool"
        value={filter.pool ?? ''}
        onChange={(event) => change({ pool: event.target.value || undefined })}
      >
        <option value="">Any pool</option>
        {pools.map((pool) => (
          <option key={pool}>{pool}</option>
        ))}
      </select>
    </form>
  );
}

function NoBuilds() {
  return (
    <div className="panel empty">
      <h2>No builds yet</h2>
      <p>Write or paste a spec in the browser, or send one with its files from a project's folder:</p>
      <Command text="loam build -f loam.spec ." what="the command" />
      <Link to="/new" className="button primary">
        Write a spec
      </Link>
    </div>
  );
}

function NoMatch() {
  return (
    <div className="panel empty">
      <h2>No build matches</h2>
      <Link to="/" className="button">
        Clear the filters
      </Link>
    </div>
  );
}

/** j and k walk the rows, as in the build's own page. */
function useRowKeys(): void {
  const move = (by: number) => {
    const links = [...document.querySelectorAll<HTMLElement>('.builds .build-title')];
    const at = links.indexOf(document.activeElement as HTMLElement);
    links[Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
  };
  useKeys({ j: () => move(1), k: () => move(-1) });
}
