import { LoamError } from '@loam/base';
import type koffi from 'koffi';

/** In koffi a pointer is a number of 64 bits. */
export type Pointer = bigint | null;

/** The library with which Win32 is called. Throws `agent.native-unavailable`. */
export async function loadKoffi(): Promise<typeof koffi> {
  try {
    return (await import('koffi')).default;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw LoamError.of('agent.native-unavailable', { reason }, { cause });
  }
}
