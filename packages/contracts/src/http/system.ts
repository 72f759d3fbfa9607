import { Type, type Static } from 'typebox';

import { TimeMs } from './common.ts';

/** Who asks, and which farm answers: `GET /api/v1/me`. */
export const Me = Type.Object({ name: Type.String(), version: Type.String(), embedded: Type.Boolean() });
export type Me = Static<typeof Me>;

export const ApiToken = Type.Object({
  id: Type.String(),
  name: Type.String(),
  createdAt: TimeMs,
  lastUsedAt: Type.Union([TimeMs, Type.Null()]),
});
export type ApiToken = Static<typeof ApiToken>;

/** A secret that the farm keeps; its value never leaves the API but to the agent of an attempt that needs it. */
export const StoredSecret = Type.Object({ name: Type.String(), createdAt: TimeMs, updatedAt: TimeMs });
export type StoredSecret = Static<typeof StoredSecret>;
export const PutSecret = Type.Object({ value: Type.String({ description: 'Base64.', maxLength: 1024 * 1024 }) });
