import { createHash } from 'node:crypto';

import type { MessageShape } from '@bufbuild/protobuf';
import { contentProto, eventPayloadsProto } from '@loam/containerd/proto';

import { parseFilters } from '../filters.ts';
import { fail } from '../grpc-codes.ts';
import type { Call, Router } from '../router.ts';
import { storedLabels, updatedLabels, type BlobRecord, type IngestRecord, type ModelState } from '../state.ts';
import { timestamp } from '../timestamp.ts';

const { WriteAction } = contentProto;
const pieceBytes = 1024 * 1024;

/** The content store: reference §1.6. */
export function serveContent(router: Router, state: ModelState): void {
  const { method } = contentProto.Content;
  const find = (namespace: string, digest: string): BlobRecord => {
    const blob = state.namespace(namespace).blobs.get(digest);
    if (!blob) throw fail.notFound(`content ${digest}`);
    return blob;
  };
  const toInfo = ({ digest, bytes, labels, createdAtMs, updatedAtMs }: BlobRecord) => ({
    digest,
    size: BigInt(bytes.length),
    labels,
    createdAt: timestamp(createdAtMs),
    updatedAt: timestamp(updatedAtMs),
  });
  const toStatus = ({ ref, offset, total, expected, startedAtMs, updatedAtMs }: IngestRecord) => ({
    ref,
    offset: BigInt(offset),
    total: BigInt(total),
    expected,
    startedAt: timestamp(startedAtMs),
    updatedAt: timestamp(updatedAtMs),
  });
  const ingest = (namespace: string, ref: string): IngestRecord => {
    const found = state.namespace(namespace).ingests.get(ref);
    if (!found) throw fail.notFound(`reference ${ref}`);
    return found;
  };

  router.unary(method.info, ({ digest }, call) => ({ info: toInfo(find(call.namespace, digest)) }));
  router.unary(method.update, ({ info, updateMask }, call) =>
    state.write(() => {
      const blob = find(call.namespace, info?.digest ?? '');
      blob.labels = updatedLabels(blob.labels, info?.labels ?? {}, updateMask?.paths ?? ['labels']);
      blob.updatedAtMs = state.clock.now();
      return { info: toInfo(blob) };
    }),
  );
  router.stream(method.list, async function* ({ filters }, call) {
    await Promise.resolve();
    const matches = parseFilters(filters);
    const blobs = [...state.namespace(call.namespace).blobs.values()];
    const info = blobs.filter(({ digest, labels }) => matches({ fields: { digest }, labels })).map(toInfo);
    for (let at = 0; at < info.length; at += 100) yield { info: info.slice(at, at + 100) };
  });
  router.unary(method.delete, ({ digest }, call) =>
    state.write(() => {
      find(call.namespace, digest);
      state.namespace(call.namespace).blobs.delete(digest);
      state.events.publish(call.namespace, '/content/delete', eventPayloadsProto.ContentDeleteSchema, { digest });
      return {};
    }),
  );
  router.stream(method.read, async function* ({ digest, offset, size }, call) {
    await Promise.resolve();
    const { bytes } = find(call.namespace, digest);
    const from = Number(offset);
    if (from > bytes.length) throw fail.outOfRange(`read past object length ${bytes.length} bytes`);
    const end = size <= 0n ? bytes.length : Math.min(bytes.length, from + Number(size));
    for (let at = from; at < end; at += pieceBytes) {
      yield { offset: BigInt(at - from), data: bytes.slice(at, Math.min(end, at + pieceBytes)) };
    }
  });
  router.unary(method.status, ({ ref }, call) => ({ status: toStatus(ingest(call.namespace, ref)) }));
  router.unary(method.listStatuses, (_, call) => ({
    statuses: [...state.namespace(call.namespace).ingests.values()].map(toStatus),
  }));
  router.unary(method.abort, ({ ref }, call) =>
    state.write(() => {
      ingest(call.namespace, ref);
      state.namespace(call.namespace).ingests.delete(ref);
      return {};
    }),
  );
  router.bidi(method.write, (requests, call) => write(state, requests, call));
}

type WriteRequest = MessageShape<typeof contentProto.WriteContentRequestSchema>;

/** One answer per message; the first names the ref and locks it; the end without a COMMIT keeps what is there. */
async function* write(state: ModelState, requests: AsyncIterable<WriteRequest>, call: Call) {
  const namespace = state.namespace(call.namespace);
  let ingest: IngestRecord | undefined;
  try {
    for await (const request of requests) {
      ingest ??= await openIngest(state, request, call);
      if (request.total !== 0n) ingest.total = Number(request.total);
      if (request.expected !== '') ingest.expected = request.expected;
      if (request.action !== WriteAction.STAT) append(ingest, request, state.clock.now());
      const answer = {
        action: request.action,
        startedAt: timestamp(ingest.startedAtMs),
        updatedAt: timestamp(ingest.updatedAtMs),
        offset: BigInt(ingest.offset),
        total: BigInt(ingest.total),
        digest: '',
      };
      if (request.action !== WriteAction.COMMIT) {
        yield answer;
        continue;
      }
      const digest = await commit(state, ingest, request, call);
      ingest.locked = false;
      namespace.ingests.delete(ingest.ref);
      yield { ...answer, digest };
      return;
    }
  } finally {
    if (ingest) ingest.locked = false;
  }
}

function openIngest(state: ModelState, request: WriteRequest, call: Call): Promise<IngestRecord> {
  return state.write(() => {
    const namespace = state.namespace(call.namespace);
    const { ref, expected } = request;
    if (ref === '') throw fail.invalid('first message must have a reference');
    if (expected !== '' && namespace.blobs.has(expected)) {
      namespace.attach(call.lease, 'content', expected);
      throw fail.exists(`content ${expected}`);
    }
    const nowMs = state.clock.now();
    const known = namespace.ingests.get(ref);
    if (known?.locked) throw fail.unavailable(`ref ${ref} locked for 1ms (since now)`);
    const ingest = known ?? {
      ref,
      startedAtMs: nowMs,
      updatedAtMs: nowMs,
      bytes: [],
      offset: 0,
      total: 0,
      expected: '',
      locked: true,
    };
    ingest.locked = true;
    namespace.attach(call.lease, 'ingests', ref);
    namespace.ingests.set(ref, ingest);
    return ingest;
  });
}

/** `offset` 0 truncates what is there; any other that is not the current one is out of range. A commit truncates too. */
function append(ingest: IngestRecord, { offset, data }: WriteRequest, nowMs: number): void {
  if (offset === 0n && ingest.offset > 0) {
    ingest.bytes = [];
    ingest.offset = 0;
  } else if (Number(offset) !== ingest.offset) {
    throw fail.outOfRange(`write @${offset} must occur at current offset ${ingest.offset}`);
  }
  if (data.length === 0) return;
  ingest.bytes.push(data.slice());
  ingest.offset += data.length;
  ingest.updatedAtMs = nowMs;
}

function commit(state: ModelState, ingest: IngestRecord, request: WriteRequest, call: Call): Promise<string> {
  return state.write(() => {
    const namespace = state.namespace(call.namespace);
    const bytes = new Uint8Array(Buffer.concat(ingest.bytes));
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (ingest.total > 0 && ingest.total !== bytes.length) {
      throw fail.precondition(`unexpected commit size ${bytes.length}, expected ${ingest.total}`);
    }
    if (ingest.expected !== '' && ingest.expected !== digest) {
      throw fail.precondition(`unexpected commit digest ${digest}, expected ${ingest.expected}`);
    }
    namespace.detach(call.lease, 'ingests', ingest.ref);
    namespace.attach(call.lease, 'content', digest);
    if (namespace.blobs.has(digest)) {
      namespace.ingests.delete(ingest.ref);
      throw fail.exists(`content ${digest}`);
    }
    const nowMs = state.clock.now();
    namespace.blobs.set(digest, {
      digest,
      bytes,
      labels: storedLabels(request.labels),
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
    });
    return digest;
  });
}
