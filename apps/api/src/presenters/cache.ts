import type { CacheNode } from '@loam/contracts';
import type { ReplicaRow, StepRow } from '@loam/db';

export function presentNode(step: Omit<StepRow, 'record'>, replicas: readonly ReplicaRow[]): CacheNode {
  return {
    id: step.id,
    parentId: step.parentId,
    copiesFrom: step.copiesFrom,
    kind: step.kind,
    op: step.op,
    platform: step.platform,
    sizeBytes: step.sizeBytes ?? replicas.find((replica) => replica.sizeBytes !== null)?.sizeBytes ?? null,
    durationMs: step.durationMs,
    firstBuiltAt: step.firstBuiltAt,
    lastUsedAt: step.lastUsedAt,
    hits: step.hits,
    replicas: replicas.map(({ agentId, agentName, sizeBytes, lastUsedAt }) => ({
      agentId,
      agentName,
      sizeBytes,
      lastUsedAt,
    })),
  };
}
