import type { Readable } from 'node:stream';

import { LoamError } from '@loam/base';
import type { FastifyReply } from 'fastify';

/** First and last byte of a request for one range, `bytes=FROM-` or `bytes=FROM-TO`; undefined when it lies outside. */
function readByteRange(text: string, size: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Math.min(match[2] ? Number(match[2]) : size - 1, size - 1);
  return start <= end ? { start, end } : undefined;
}

/** Answers a request for one range of `size` bytes. Throws `api.bad-range` when it lies outside. */
export function sendRange(
  reply: FastifyReply,
  asked: string,
  size: number,
  stream: (range: { start: number; end: number }) => Readable,
): FastifyReply {
  const range = readByteRange(asked, size);
  if (range === undefined) {
    void reply.header('content-range', `bytes */${size}`);
    throw LoamError.of('api.bad-range', { range: asked, size });
  }
  const { start, end } = range;
  return reply
    .code(206)
    .headers({ 'content-range': `bytes ${start}-${end}/${size}`, 'content-length': end - start + 1 })
    .send(stream(range));
}
