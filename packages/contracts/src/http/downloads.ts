import { Type, type Static } from 'typebox';

import { Nullable, PublicErrorBody } from './common.ts';

/** The agent for one platform, as one file that needs nothing else on the host. */
export const Download = Type.Object({
  platform: Type.String({ description: '`windows-x64` or `linux-x64`.' }),
  name: Type.String(),
  sizeBytes: Type.Integer({ minimum: 0 }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  url: Type.String({ description: 'Where to get it, below the address of the farm.' }),
});
export type Download = Static<typeof Download>;

/** What of the agent can be downloaded from this farm. */
export const Downloads = Type.Object({
  version: Nullable(Type.String()),
  items: Type.Array(Download),
  /** Why there is nothing: the packages were not built. */
  problem: Nullable(PublicErrorBody),
});
export type Downloads = Static<typeof Downloads>;
