import { isLoamError, type Clock } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import { labels } from './labels.ts';
import { untilContainerdAnswers } from './until-containerd-answers.ts';

export interface LeasesOptions {
  readonly client: Containerd;
  readonly agentId: string;
  readonly clock: Clock;
  readonly randomUUID: () => string;
}

/** Takes a lease that is marked as ours and tells for whom; gives its id. */
export async function takeLease(options: LeasesOptions, owner: string): Promise<string> {
  const { client, agentId, clock, randomUUID } = options;
  const id = `loam-${randomUUID()}`;
  await untilContainerdAnswers(clock, async () => {
    try {
      await client.leases.create({ id, labels: { [labels.agent]: agentId, [labels.owner]: owner } });
    } catch (error) {
      // By a call whose answer was lost.
      if (!isLoamError(error, 'containerd.already-exists')) throw error;
    }
  });
  return id;
}

/** Never fails: what stays is found by the next reconciliation, since it carries our label. */
export async function dropLease({ client, clock }: LeasesOptions, id: string): Promise<void> {
  await untilContainerdAnswers(clock, () => client.leases.delete(id)).catch(() => undefined);
}
