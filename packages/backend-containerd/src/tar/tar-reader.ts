import { ByteReader } from '../byte-reader.ts';
import { blockSize, padded } from './tar-header.ts';

/** What a reader of image archives needs to know of an entry. */
export interface ReadTarEntry {
  readonly path: string;
  readonly type: 'file' | 'symlink' | 'hardlink' | 'directory' | 'other';
  readonly sizeBytes: number;
  readonly linkPath: string;
  readonly mode: number;
  readonly mtimeSeconds: number;
  /** Where in the archive its content begins. */
  readonly contentOffset: number;
  /** The content, once. What is not read is skipped when the next entry is asked for. */
  readonly content: AsyncIterable<Uint8Array>;
}

const maxMetadataBytes = 1 << 20;

/**
 * Reads a tar archive (ustar, PAX, GNU long names) as a stream, without keeping file content.
 * Throws a plain Error naming what is wrong when it is not one, or ends early; with `requireEnd` also when the mark at the
 * end of a whole archive is missing.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  { requireEnd = false }: { requireEnd?: boolean } = {},
): AsyncIterable<ReadTarEntry> {
  const reader = new ByteReader(source);
  let pax: Map<string, string> = new Map();
  let longName: string | undefined;
  let longLink: string | undefined;
  for (;;) {
    const block = await reader.take(blockSize);
    if (block === undefined && requireEnd) throw new Error('the archive ends without its end mark');
    if (block === undefined || block.every((byte) => byte === 0)) return;
    verifyChecksum(block);
    const size = Number(pax.get('size') ?? number(block, 124, 12));
    const flag = String.fromCharCode(block[156] ?? 0);
    if (flag === 'x' || flag === 'L' || flag === 'K' || flag === 'g') {
      if (size > maxMetadataBytes) throw new Error('a tar header is too large');
      const body = await reader.take(padded(size));
      if (body === undefined) throw new Error('the archive ends in the middle');
      const bytes = body.subarray(0, size);
      if (flag === 'x') pax = parsePax(bytes);
      if (flag === 'L') longName = cString(bytes);
      if (flag === 'K') longLink = cString(bytes);
      continue;
    }
    const prefix = cString(block.subarray(257, 262)) === 'ustar' ? cString(block.subarray(345, 500)) : '';
    const short = cString(block.subarray(0, 100));
    const path = pax.get('path') ?? longName ?? (prefix === '' ? short : `${prefix}/${short}`);
    const linkPath = pax.get('linkpath') ?? longLink ?? cString(block.subarray(157, 257));
    const mtimeSeconds = Math.floor(Number(pax.get('mtime') ?? number(block, 136, 12)));
    const mode = number(block, 100, 8) & 0o7777;
    pax = new Map();
    longName = longLink = undefined;
    const state = { left: size };
    yield {
      path,
      type: entryType(flag),
      sizeBytes: size,
      linkPath,
      mode,
      mtimeSeconds,
      contentOffset: reader.position,
      content: content(reader, state),
    };
    await reader.skip(state.left + padded(size) - size);
  }
}

async function* content(reader: ByteReader, state: { left: number }): AsyncIterable<Uint8Array> {
  while (state.left > 0) {
    const chunk = await reader.some(state.left);
    if (chunk === undefined) throw new Error('the archive ends in the middle');
    state.left -= chunk.length;
    yield chunk;
  }
}

function entryType(flag: string): ReadTarEntry['type'] {
  if (flag === '0' || flag === '\0' || flag === '7') return 'file';
  if (flag === '1') return 'hardlink';
  if (flag === '2') return 'symlink';
  return flag === '5' ? 'directory' : 'other';
}

function verifyChecksum(block: Uint8Array): void {
  let sum = 8 * 0x20;
  for (let i = 0; i < blockSize; i++) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  if (number(block, 148, 8) !== sum) throw new Error('it is not a tar archive');
}

function number(block: Uint8Array, offset: number, length: number): number {
  const bytes = block.subarray(offset, offset + length);
  // GNU base-256: the top bit is set, the rest is a big-endian number.
  if (((bytes[0] ?? 0) & 0x80) !== 0) return bytes.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
  return Number.parseInt(cString(bytes).trim() || '0', 8);
}

function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
}

function parsePax(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(new TextDecoder().decode(bytes.subarray(at, space)));
    if (space === -1 || !Number.isInteger(length) || length <= 0) throw new Error('a tar header is malformed');
    const record = new TextDecoder().decode(bytes.subarray(space + 1, at + length - 1));
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}
