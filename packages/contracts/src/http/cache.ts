import { Type, type Static } from 'typebox';

import { StepKind } from './builds.ts';
import { Nullable, StepIdText, TimeMs } from './common.ts';

export const Replica = Type.Object({
  agentId: Type.String(),
  agentName: Type.String(),
  sizeBytes: Nullable(Type.Integer()),
  lastUsedAt: Nullable(TimeMs),
});
export type Replica = Static<typeof Replica>;

/** A step in the cache graph. */
export const CacheNode = Type.Object({
  id: StepIdText,
  parentId: Nullable(StepIdText),
  /** Results that a `copy` took from. */
  copiesFrom: Type.Array(StepIdText),
  kind: StepKind,
  op: Type.String(),
  platform: Type.String(),
  sizeBytes: Nullable(Type.Integer()),
  durationMs: Nullable(Type.Number()),
  firstBuiltAt: TimeMs,
  lastUsedAt: TimeMs,
  hits: Type.Integer(),
  replicas: Type.Array(Replica),
});
export type CacheNode = Static<typeof CacheNode>;

export const CacheGraph = Type.Object({ nodes: Type.Array(CacheNode), truncated: Type.Boolean() });
export type CacheGraph = Static<typeof CacheGraph>;

/** One node with the record that its id is the hash of, and the builds that used it lately. */
export const CacheNodeDetail = Type.Intersect([
  CacheNode,
  Type.Object({
    record: Type.Unknown(),
    firstBuildId: Nullable(Type.String()),
    logId: Nullable(Type.String()),
    builds: Type.Array(Type.Object({ id: Type.String(), title: Nullable(Type.String()), createdAt: TimeMs })),
  }),
]);
export type CacheNodeDetail = Static<typeof CacheNodeDetail>;

/** What deleting a subtree removes, or with `dryRun` would remove. */
export const CacheDeletion = Type.Object({
  dryRun: Type.Boolean(),
  steps: Type.Array(Type.Object({ id: StepIdText, op: Type.String(), sizeBytes: Nullable(Type.Integer()) })),
  freedBytes: Type.Integer(),
  /** Agents that hold some of it but are not connected: theirs goes when they come back. */
  pendingAgents: Type.Array(Type.String()),
});
export type CacheDeletion = Static<typeof CacheDeletion>;
