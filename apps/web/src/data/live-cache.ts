import type { Agent, Build, BuildSummary, LiveFrame, PageOf, Step } from '@loam/contracts';
import type { InfiniteData, QueryClient } from '@tanstack/react-query';

export interface BuildFilter {
  readonly state?: BuildSummary['state'] | undefined;
  readonly pool?: string | undefined;
  readonly search?: string | undefined;
}

type BuildPages = InfiniteData<PageOf<BuildSummary>, string | undefined>;

/** A build with one of its steps replaced, or added where the plan did not know it. */
export function withStep(build: Build, step: Step): Build {
  const at = build.stepRuns.findIndex((known) => known.position === step.position);
  const stepRuns = at === -1 ? [...build.stepRuns, step] : build.stepRuns.with(at, step);
  return { ...build, stepRuns };
}

/**
 * The list with one build changed, in its place, or on top when it is new. `stale` means that only the server can tell:
 * a search looks into texts that the page does not have.
 */
export function withSummary(pages: BuildPages, build: BuildSummary, filter: BuildFilter): BuildPages | 'stale' {
  const fits =
    (filter.state === undefined || filter.state === build.state) &&
    (filter.pool === undefined || filter.pool === build.pool);
  for (const [number, page] of pages.pages.entries()) {
    const at = page.items.findIndex((item) => item.id === build.id);
    if (at === -1) continue;
    const items = fits ? page.items.with(at, build) : page.items.toSpliced(at, 1);
    return { ...pages, pages: pages.pages.with(number, { ...page, items }) };
  }
  if (!fits) return pages;
  const oldest = pages.pages.at(-1);
  const isBelow = oldest?.next != null && (oldest.items.at(-1)?.createdAt ?? 0) > build.createdAt;
  if (isBelow) return pages;
  if (filter.search !== undefined && filter.search !== '') return 'stale';
  const [first, ...rest] = pages.pages;
  if (first === undefined) return 'stale';
  const newest = first.items[0];
  if (newest !== undefined && newest.createdAt > build.createdAt) return 'stale';
  return { ...pages, pages: [{ ...first, items: [build, ...first.items] }, ...rest] };
}

export function withAgent(agents: readonly Agent[], agent: Agent): Agent[] {
  const at = agents.findIndex((known) => known.id === agent.id);
  return at === -1 ? [...agents, agent] : agents.with(at, agent);
}

/** Writes a frame into the query cache, so that screens need not know where a change came from. */
export function applyFrame(client: QueryClient, frame: LiveFrame): void {
  switch (frame.type) {
    case 'build':
      client.setQueryData<Build>(['build', frame.build.id], frame.build);
      break;
    case 'step':
      client.setQueryData<Build>(['build', frame.buildId], (build) => build && withStep(build, frame.step));
      break;
    case 'build-summary':
      for (const [key, pages] of client.getQueriesData<BuildPages>({ queryKey: ['builds'] })) {
        if (pages === undefined) continue;
        const next = withSummary(pages, frame.build, (key[1] ?? {}) as BuildFilter);
        if (next === 'stale') void client.invalidateQueries({ queryKey: key, exact: true }, { cancelRefetch: false });
        else client.setQueryData(key, next);
      }
      break;
    case 'agent':
      client.setQueryData<Agent[]>(['agents'], (agents) => agents && withAgent(agents, frame.agent));
      break;
    case 'log':
    case 'log-end':
    case 'error':
      break;
  }
}
