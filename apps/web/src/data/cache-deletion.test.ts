import { MutationObserver, QueryClient, QueryObserver } from '@tanstack/react-query';
import { expect, it } from 'vitest';

import { cacheDeletion } from './cache-deletion.ts';

it('tells of a deletion before the graph without it takes away what asked for it', async () => {
  const client = new QueryClient();
  const told: string[] = [];
  const graph = new QueryObserver(client, {
    queryKey: ['cache'],
    queryFn: () => told.push('graph read'),
    staleTime: Infinity,
    initialData: 0,
  });
  const leave = graph.subscribe(() => undefined);
  const done = { dryRun: false, steps: [], freedBytes: 0, pendingAgents: [] };
  const deletion = cacheDeletion(
    client,
    async () => done,
    (what) => told.push(what === done ? 'done' : 'something else'),
  );
  await new MutationObserver(client, deletion).mutate();
  expect(told).toEqual(['done', 'graph read']);
  leave();
});
