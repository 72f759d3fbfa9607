import { isLoamError } from '@loam/base';
import { Content, type Info as InfoMessage } from '../gen/services/content_pb.ts';
import { deadlines } from '../rpc/deadlines.ts';
import type { CallOptions, Rpc } from '../rpc/rpc.ts';
import { labelMask, toDate, type Labels } from '../values.ts';
import { writeBlob, type BlobWrite, type WrittenBlob } from './content-write.ts';

export interface BlobInfo {
  readonly digest: string;
  readonly size: number;
  readonly labels: Labels;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A write that has begun and is not committed. */
export interface IngestStatus {
  readonly ref: string;
  readonly offset: number;
  /** 0 when it was not told. */
  readonly total: number;
  readonly expected: string;
  readonly startedAt: Date;
  readonly updatedAt: Date;
}

/** Blobs by digest. */
export interface ContentApi {
  info(digest: string, options?: CallOptions): Promise<BlobInfo>;
  exists(digest: string, options?: CallOptions): Promise<boolean>;
  list(filters?: readonly string[], options?: CallOptions): Promise<BlobInfo[]>;
  /** The bytes from `offset` on, `size` of them at most. `containerd.out-of-range` when it begins behind the end. */
  read(
    digest: string,
    options?: CallOptions & { readonly offset?: number; readonly size?: number },
  ): AsyncIterable<Uint8Array>;
  /** The whole blob; for documents, not for layers. */
  readAll(digest: string, options?: CallOptions): Promise<Uint8Array>;
  /** Writes a blob, going on from where an earlier write of the same `ref` stopped. */
  writeBlob(blob: BlobWrite, options?: CallOptions): Promise<WrittenBlob>;
  /** `containerd.not-found` when no write of that ref has begun. */
  status(ref: string, options?: CallOptions): Promise<IngestStatus>;
  /** Throws away what a write that was not committed has left. */
  abort(ref: string, options?: CallOptions): Promise<void>;
  delete(digest: string, options?: CallOptions): Promise<void>;
  /** Sets these labels (an empty value removes one) and leaves the others. */
  updateLabels(digest: string, labels: Labels, options?: CallOptions): Promise<BlobInfo>;
}

export function contentApi(rpc: Rpc): ContentApi {
  const { method } = Content;

  async function info(digest: string, options?: CallOptions): Promise<BlobInfo> {
    return toInfo((await rpc.unary(method.info, { digest }, options, deadlines.metadata)).info);
  }

  async function updateLabels(digest: string, labels: Labels, options?: CallOptions): Promise<BlobInfo> {
    const request = { info: { digest, labels }, updateMask: labelMask(labels) };
    return toInfo((await rpc.unary(method.update, request, options, deadlines.metadata)).info);
  }

  async function* read(
    digest: string,
    options?: CallOptions & { readonly offset?: number; readonly size?: number },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const request = { digest, offset: BigInt(options?.offset ?? 0), size: BigInt(options?.size ?? 0) };
    for await (const { data } of rpc.stream(method.read, request, options, deadlines.bulk)) yield data;
  }

  return {
    info,
    read,
    updateLabels,
    async exists(digest, options) {
      try {
        await info(digest, options);
        return true;
      } catch (error) {
        if (isLoamError(error, 'containerd.not-found')) return false;
        throw error;
      }
    },
    async list(filters = [], options) {
      const infos: BlobInfo[] = [];
      const pages = rpc.stream(method.list, { filters: [...filters] }, options, deadlines.metadata);
      for await (const page of pages) infos.push(...page.info.map(toInfo));
      return infos;
    },
    async readAll(digest, options) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of read(digest, options)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    async writeBlob(blob, options) {
      const written = await writeBlob(rpc, blob, options);
      // containerd takes labels only with a commit, and there was none.
      if (written.existed && blob.labels && Object.keys(blob.labels).length > 0) {
        await updateLabels(written.digest, blob.labels, options);
      }
      return written;
    },
    async status(ref, options) {
      const { status } = await rpc.unary(method.status, { ref }, options, deadlines.metadata);
      return {
        ref: status?.ref ?? ref,
        offset: Number(status?.offset ?? 0n),
        total: Number(status?.total ?? 0n),
        expected: status?.expected ?? '',
        startedAt: toDate(status?.startedAt),
        updatedAt: toDate(status?.updatedAt),
      };
    },
    async abort(ref, options) {
      await rpc.unary(method.abort, { ref }, options, deadlines.metadata);
    },
    async delete(digest, options) {
      await rpc.unary(method.delete, { digest }, options, deadlines.metadata);
    },
  };
}

function toInfo(info: InfoMessage | undefined): BlobInfo {
  return {
    digest: info?.digest ?? '',
    size: Number(info?.size ?? 0n),
    labels: { ...info?.labels },
    createdAt: toDate(info?.createdAt),
    updatedAt: toDate(info?.updatedAt),
  };
}
