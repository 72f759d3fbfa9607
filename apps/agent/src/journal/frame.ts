import { crc32 } from 'node:zlib';

import type { NumberedRecord } from '@loam/contracts';

import type { JournalRecord } from './record.ts';
import type { AttemptState } from './state.ts';

/**
 * What stands in a segment, one after the other:
 *
 *     u32 length of the body · u32 CRC-32 of all that follows · u8 kind · u48 number · body
 *
 * all big-endian. A frame whose length or checksum does not fit is where a write was torn.
 */
const headerBytes = 15;
/** Nothing that the agent writes comes near; a length beyond it is garbage. */
const maxBodyBytes = 64 * 1024 * 1024;

const kinds = { record: 0, log: 1, state: 2 } as const;

export type Frame =
  | { readonly kind: 'record'; readonly seq: number; readonly record: JournalRecord }
  /** The state after record `seq`: first in each segment, so that older segments can go. */
  | { readonly kind: 'state'; readonly seq: number; readonly state: AttemptState };

/** One decoded frame and the offset behind it. */
export interface Decoded {
  readonly frame: Frame;
  readonly end: number;
}

export function encodeFrame(frame: Frame): Buffer {
  if (frame.kind === 'state') return pack(kinds.state, frame.seq, [Buffer.from(JSON.stringify(frame.state))]);
  const { record } = frame;
  if (record.type !== 'log') return pack(kinds.record, frame.seq, [Buffer.from(JSON.stringify(record))]);
  const { bytes, ...rest } = record;
  const head = Buffer.from(JSON.stringify(rest));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return pack(kinds.log, frame.seq, [length, head, bytes]);
}

/** Decodes the frame at `offset`; undefined when what is there is no whole, sound frame. */
export function decodeFrame(buffer: Buffer, offset: number): Decoded | undefined {
  const size = frameSize(buffer, offset);
  if (size === undefined || offset + size > buffer.length) return undefined;
  const end = offset + size;
  if (crc32(buffer.subarray(offset + 8, end)) !== buffer.readUInt32BE(offset + 4)) return undefined;
  const seq = buffer.readUIntBE(offset + 9, 6);
  const body = buffer.subarray(offset + headerBytes, end);
  switch (buffer[offset + 8]) {
    case kinds.record:
      return { frame: { kind: 'record', seq, record: JSON.parse(body.toString()) as JournalRecord }, end };
    case kinds.state:
      return { frame: { kind: 'state', seq, state: JSON.parse(body.toString()) as AttemptState }, end };
    case kinds.log: {
      const split = 4 + body.readUInt32BE(0);
      const rest = JSON.parse(body.subarray(4, split).toString()) as Omit<JournalRecord & { type: 'log' }, 'bytes'>;
      return { frame: { kind: 'record', seq, record: { ...rest, bytes: body.subarray(split) } }, end };
    }
    default:
      return undefined;
  }
}

/** Size of the frame at `offset` by its header; undefined when there is no header, or nonsense. */
export function frameSize(buffer: Buffer, offset: number): number | undefined {
  if (offset + headerBytes > buffer.length) return undefined;
  const body = buffer.readUInt32BE(offset);
  return body > maxBodyBytes ? undefined : headerBytes + body;
}

/** The record as it goes over the link. */
export function toWire(seq: number, record: JournalRecord): NumberedRecord {
  if (record.type !== 'log') return { seq, record };
  const { bytes, ...rest } = record;
  return {
    seq,
    record: { ...rest, data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64') },
  };
}

function pack(kind: number, seq: number, body: readonly Uint8Array[]): Buffer {
  const bodyBytes = body.reduce((sum, part) => sum + part.length, 0);
  const frame = Buffer.allocUnsafe(headerBytes + bodyBytes);
  frame.writeUInt32BE(bodyBytes, 0);
  frame[8] = kind;
  frame.writeUIntBE(seq, 9, 6);
  let at = headerBytes;
  for (const part of body) {
    frame.set(part, at);
    at += part.length;
  }
  frame.writeUInt32BE(crc32(frame.subarray(8)), 4);
  return frame;
}
