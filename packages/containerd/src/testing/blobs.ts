import { createHash } from 'node:crypto';
import type { Containerd } from '../client.ts';
import type { WrittenBlob } from '../services/content-write.ts';

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Writes bytes that are at hand as a blob. */
export function put(
  client: Containerd,
  bytes: Uint8Array,
  options: { ref?: string; labels?: Record<string, string>; lease: string },
): Promise<WrittenBlob> {
  const { lease, ...fields } = options;
  const source = async function* (offset: number): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(offset);
  };
  return client.content.writeBlob({ ref: `put-${sha256(bytes)}`, source, ...fields }, { lease });
}

/** The code of the error with which that ends. */
export function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no failure',
    (error: { code?: unknown }) => error.code ?? error,
  );
}
