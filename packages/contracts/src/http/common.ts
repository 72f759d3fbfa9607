import { Type, type Static, type TSchema } from 'typebox';

import { textForms } from './text-forms.ts';

/** Milliseconds since the epoch. All times on the wire are these. */
export const TimeMs = Type.Integer({ minimum: 0, description: 'Milliseconds since the Unix epoch.' });

export const DigestText = Type.String({ pattern: textForms.digest.pattern });
export const StepIdText = Type.String({ pattern: textForms.stepId.pattern });

/** An error a user may see. */
export const PublicErrorBody = Type.Object({
  code: Type.String(),
  message: Type.String(),
  remedy: Type.String(),
});
export type PublicErrorBody = Static<typeof PublicErrorBody>;

export const Place = Type.Object({
  line: Type.Integer({ minimum: 1 }),
  column: Type.Integer({ minimum: 1 }),
  offset: Type.Integer({ minimum: 0 }),
});

/** A finding in a spec, with its place. Lines and columns count from 1. */
export const Diagnostic = Type.Object({
  severity: Type.Union([Type.Literal('error'), Type.Literal('warning')]),
  code: Type.String(),
  message: Type.String(),
  range: Type.Object({ start: Place, end: Place }),
  found: Type.Optional(Type.String()),
  expected: Type.Optional(Type.String()),
  hint: Type.Optional(Type.String()),
});
export type Diagnostic = Static<typeof Diagnostic>;

/** RFC 9457 problem details, with our stable code, what to do, and the id under which the server's log has the rest. */
export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String(),
    remedy: Type.String(),
    requestId: Type.String(),
    diagnostics: Type.Optional(Type.Array(Diagnostic)),
  },
  { $id: 'Problem' },
);
export type Problem = Static<typeof Problem>;

/** One page of a list. `next` is the cursor of the page after it, null on the last. */
export function Page<T extends TSchema>(item: T) {
  return Type.Object({ items: Type.Array(item), next: Type.Union([Type.String(), Type.Null()]) });
}
export interface PageOf<T> {
  items: T[];
  next: string | null;
}

export function Nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()]);
}
