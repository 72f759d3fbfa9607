import { LoamError } from '@loam/base';
import type { Database } from '@loam/db';
import type { LogStore } from '@loam/logs';

import type { Bus } from '../bus.ts';
import type { Outbox } from './outbox.ts';

/**
 * Sends a log from an offset on until it is complete, then its end. It reads as fast as the viewer takes it: a slow viewer
 * makes nothing pile up but the file that is there anyway.
 */
export async function followLog(
  parts: { db: Database; logs: LogStore; bus: Bus },
  log: { logId: string; from: number },
  outbox: Outbox,
  signal: AbortSignal,
): Promise<void> {
  const { logId } = log;
  const ended = new AbortController();
  const stopListening = parts.bus.subscribe('log-ended', ({ id }) => {
    if (id === logId) ended.abort();
  });
  try {
    // Asked after the listening began, so that an end between the two is not missed.
    const row = await parts.db.logs.get(logId);
    if (row === undefined) throw LoamError.of('api.log-unknown', { id: logId });
    if (row.ended) ended.abort();
    let at = log.from;
    const send = async (offset: number, bytes: Uint8Array): Promise<boolean> => {
      at = offset + bytes.length;
      return outbox.send({ type: 'log', logId, offset, data: Buffer.from(bytes).toString('base64') });
    };
    for await (const chunk of parts.logs.follow(logId, at, AbortSignal.any([signal, ended.signal]))) {
      if (!(await send(chunk.offset, chunk.bytes)) || signal.aborted) return;
    }
    if (signal.aborted) return;
    // The end is certain now: what is left of the log can be read in one go.
    for await (const bytes of parts.logs.read(logId, at)) {
      if (!(await send(at, bytes)) || signal.aborted) return;
    }
    await outbox.send({ type: 'log-end', logId, size: await parts.logs.size(logId) });
  } finally {
    stopListening();
  }
}
