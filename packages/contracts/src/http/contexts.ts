import { Type, type Static } from 'typebox';

import { DigestText } from './common.ts';

/** One item of a context manifest. Paths are relative and `/`-separated. */
export const ContextEntryBody = Type.Union([
  Type.Object({
    kind: Type.Literal('file'),
    path: Type.String({ minLength: 1 }),
    mode: Type.Integer({ minimum: 0, maximum: 0o7777 }),
    sizeBytes: Type.Integer({ minimum: 0 }),
    digest: DigestText,
  }),
  Type.Object({
    kind: Type.Literal('directory'),
    path: Type.String(),
    mode: Type.Integer({ minimum: 0, maximum: 0o7777 }),
  }),
  Type.Object({ kind: Type.Literal('symlink'), path: Type.String({ minLength: 1 }), target: Type.String() }),
]);
export type ContextEntryBody = Static<typeof ContextEntryBody>;

export const ContextManifest = Type.Object({ entries: Type.Array(ContextEntryBody) }, { additionalProperties: false });
export type ContextManifest = Static<typeof ContextManifest>;

/** Digest of the stored manifest, and the blobs that the farm does not have yet. */
export const ContextReceipt = Type.Object({ digest: DigestText, missing: Type.Array(DigestText) });
export type ContextReceipt = Static<typeof ContextReceipt>;

/** Blobs up to this size may travel many in one request: a request each would cost more than their bytes. */
export const batchedBlobBytesMax: number = 256 * 1024;
/** And this many bytes of them in one. */
export const blobBatchBytesMax: number = 16 * 1024 * 1024;

/**
 * What stands before each blob in the body of `POST /blobs`: its digest, a space, its size in bytes, a line feed. The bytes
 * follow, and then the next one.
 */
export function blobFrame(digest: string, sizeBytes: number): string {
  return `${digest} ${sizeBytes}\n`;
}
