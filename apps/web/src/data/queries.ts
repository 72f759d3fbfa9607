import type { BuildSummary, CacheDeletion, SubmitBuild } from '@loam/contracts';
import {
  keepPreviousData,
  queryOptions,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { useEffect } from 'react';

import { api } from './api.ts';
import { cacheDeletion } from './cache-deletion.ts';
import type { BuildFilter } from './live-cache.ts';
import { useLiveSocket } from './live.tsx';

export const meQuery = queryOptions({ queryKey: ['me'], queryFn: api.me, staleTime: Infinity });

export function useBuilds(filter: BuildFilter) {
  const live = useLiveSocket();
  useEffect(() => live.watchBuilds(), [live]);
  return useInfiniteQuery({
    queryKey: ['builds', filter],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      api.builds({
        limit: 50,
        ...(filter.state ? { state: filter.state } : {}),
        ...(filter.pool ? { pool: filter.pool } : {}),
        ...(filter.search ? { search: filter.search } : {}),
        ...(pageParam ? { cursor: pageParam } : {}),
      }),
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
  });
}

export function useBuild(id: string) {
  const live = useLiveSocket();
  useEffect(() => live.watchBuild(id), [live, id]);
  return useQuery({ queryKey: ['build', id], queryFn: () => api.build(id) });
}

/** A build once, without following it: to copy its spec. */
export function useBuildOnce(id: string | undefined) {
  return useQuery({ queryKey: ['build', id], queryFn: () => api.build(id!), enabled: id !== undefined });
}

export function useSubmit() {
  return useMutation({
    mutationFn: ({ body, key }: { body: SubmitBuild; key: string }) => api.submit(body, key),
    // The editor shows what is wrong; a toast beside it would say it twice.
    meta: { quiet: true },
  });
}

export function useBuildAction(action: 'cancel' | 'retry') {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => (action === 'cancel' ? api.cancelBuild(id) : api.retryBuild(id)),
    onSuccess: (build) => client.setQueryData(['build', build.id], build),
  });
}

export function useAgents() {
  const live = useLiveSocket();
  useEffect(() => live.watchAgents(), [live]);
  return useQuery({ queryKey: ['agents'], queryFn: async () => (await api.agents()).items });
}

/** Names of the pools that have agents, and `linux`, where a build goes when nothing is said. */
export function usePools(): string[] {
  const { data } = useAgents();
  return [...new Set(['linux', ...(data ?? []).map((agent) => agent.pool)])].sort();
}

export function useAgentAction() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, action }: { id: string; action: 'drain' | 'resume' | 'revoke' }) =>
      action === 'revoke' ? api.revokeAgent(id) : api.updateAgent(id, { draining: action === 'drain' }),
    onSettled: () => client.invalidateQueries({ queryKey: ['agents'] }),
  });
}

/** The agent's packages on this farm. Looked at again now and then: they may just be in the making. */
export function useDownloads() {
  return useQuery({ queryKey: ['downloads'], queryFn: api.downloads, refetchInterval: 5000 });
}

/** What became of an enrolment token, until its agent is online. */
export function useEnrolmentToken(id: string, isValid: boolean) {
  return useQuery({
    queryKey: ['enrolment-token', id],
    queryFn: () => api.enrolmentToken(id),
    refetchInterval: ({ state: { data } }) => {
      const isSettled = data?.agent?.state === 'online' || (data?.usedAt === null && !isValid);
      return isSettled ? false : 1500;
    },
  });
}

export function useCacheGraph() {
  return useQuery({ queryKey: ['cache'], queryFn: () => api.cacheGraph({ limit: 20_000 }), staleTime: 5000 });
}

export function useCacheNode(id: string | undefined) {
  return useQuery({ queryKey: ['cache', id], queryFn: () => api.cacheNode(id!), enabled: id !== undefined });
}

export function useCacheDeletion(id: string, onDone: (done: CacheDeletion) => void) {
  const client = useQueryClient();
  const preview = useQuery({
    queryKey: ['cache-deletion', id],
    queryFn: () => api.deleteCacheNode(id, true),
    gcTime: 0,
    staleTime: 0,
  });
  const remove = useMutation(cacheDeletion(client, () => api.deleteCacheNode(id, false), onDone));
  return { preview, remove };
}

export function useSecrets() {
  return useQuery({ queryKey: ['secrets'], queryFn: async () => (await api.secrets()).items });
}

export function useSecretChange() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (change: { name: string; value: string | null }): Promise<void> => {
      if (change.value === null) await api.deleteSecret(change.name);
      else await api.putSecret(change.name, change.value);
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['secrets'] }),
  });
}

/** Whether a build will not change any more. */
export function hasEnded(build: Pick<BuildSummary, 'state'>): boolean {
  return build.state !== 'queued' && build.state !== 'running';
}
