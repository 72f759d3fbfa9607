import { Readable } from 'node:stream';

import type { TreeEntry } from '@loam/backend';
import { extract } from 'tar-stream';
import { describe, expect, it } from 'vitest';

import { encodeHeader } from './tar-header.ts';
import { readTar } from './tar-reader.ts';
import { tarHeaderOf, writeTar, type TarItem } from './tar-writer.ts';

const meta = { uid: 0, gid: 0, mode: 0o644, mtimeMs: 1_700_000_000_900 };

function file(path: string, text: string, extra: Partial<TreeEntry> = {}): TreeEntry {
  const bytes = new TextEncoder().encode(text);
  async function* open(): AsyncIterable<Uint8Array> {
    yield bytes;
  }
  return { ...meta, kind: 'file', path, sizeBytes: bytes.length, open, ...extra } as TreeEntry;
}

function items(entries: readonly TreeEntry[]): TarItem[] {
  return entries.map((entry) =>
    entry.kind === 'file' ? { header: tarHeaderOf(entry), content: entry.open() } : { header: tarHeaderOf(entry) },
  );
}

interface Seen {
  readonly name: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly mtime: number;
  readonly linkname: string | null;
  readonly text: string;
}

/** What another reader than ours sees. */
async function seenByTarStream(entries: readonly TreeEntry[]): Promise<Seen[]> {
  const reader = extract();
  const seen: Seen[] = [];
  Readable.from(writeTar(items(entries))).pipe(reader);
  for await (const entry of reader) {
    let text = '';
    for await (const chunk of entry) text += Buffer.from(chunk).toString();
    const { name, type, mode, uid, mtime, linkname } = entry.header;
    seen.push({ name, type, mode, uid, mtime: mtime.getTime(), linkname, text });
  }
  return seen;
}

describe('the tar writer', () => {
  it('is read by another implementation: kinds, modes, owners, whole seconds, links', async () => {
    const seen = await seenByTarStream([
      { ...meta, kind: 'directory', path: 'd', mode: 0o1777 },
      file('d/tool', 'text', { mode: 0o4755, uid: 1000 }),
      { ...meta, kind: 'symlink', path: 'd/link', target: '../etc/passwd' },
      { ...meta, kind: 'hardlink', path: 'd/again', target: 'd/tool' },
      { ...meta, kind: 'character-device', path: 'd/null', major: 1, minor: 3 },
    ]);
    expect(seen.map(({ name, type, mode }) => [name, type, mode.toString(8)])).toEqual([
      ['d/', 'directory', '1777'],
      ['d/tool', 'file', '4755'],
      ['d/link', 'symlink', '644'],
      ['d/again', 'link', '644'],
      ['d/null', 'character-device', '644'],
    ]);
    expect(seen[1]).toMatchObject({ text: 'text', uid: 1000, mtime: 1_700_000_000_000 });
    expect(seen.map(({ linkname }) => linkname)).toEqual([null, null, '../etc/passwd', 'd/tool', null]);
  });

  it('keeps names of any length and script, and their links', async () => {
    const names = ['x'.repeat(100), 'x'.repeat(101), `${'d/'.repeat(120)}f`, '漢字', 'e\u0301', 'tab\tnew\nline', '👩‍🚀'];
    const entries = names.flatMap((name): TreeEntry[] => [
      file(name, name),
      { ...meta, kind: 'symlink', path: `l${name}`, target: name },
    ]);
    const seen = await seenByTarStream(entries);
    expect(seen.map(({ name }) => name)).toEqual(names.flatMap((name) => [name, `l${name}`]));
    expect(seen.filter(({ type }) => type === 'symlink').map(({ linkname }) => linkname)).toEqual(names);
  });

  it('says sizes over 8 GiB and large ids in the extended header', () => {
    const owned = encodeHeader(tarHeaderOf(file('a', '', { uid: 3_000_000 })));
    expect(new TextDecoder().decode(owned.subarray(512, 1024))).toMatch(/^15 uid=3000000\n/);
    const header = encodeHeader({ ...tarHeaderOf(file('big', '')), sizeBytes: 9 * 2 ** 30 });
    expect(new TextDecoder().decode(header.subarray(512, 1024))).toMatch(/^19 size=9663676416\n/);
  });

  it('throws when a file is longer or shorter than it said', async () => {
    for (const sizeBytes of [3, 5]) {
      const reading = async (): Promise<void> => {
        for await (const _ of writeTar(items([file('a', 'four', { sizeBytes } as Partial<TreeEntry>)])));
      };
      await expect(reading()).rejects.toThrow('size changed');
    }
  });
});

describe('the tar reader', () => {
  it('reads what the writer wrote, in chunks of any size, skipping what nobody reads', async () => {
    const entries = [
      file('a'.repeat(150), 'one'),
      file('b', 'x'.repeat(2000)),
      { ...meta, kind: 'symlink', path: 'c', target: 't' } as const,
    ];
    const parts: Uint8Array[] = [];
    for await (const chunk of writeTar(items(entries))) parts.push(chunk);
    const whole = Buffer.concat(parts);
    for (const step of [1, 7, 512, 10_000]) {
      const seen: [string, string, string][] = [];
      for await (const entry of readTar(chunksOf(whole, step))) {
        let text = '';
        if (entry.path !== 'b') for await (const chunk of entry.content) text += Buffer.from(chunk).toString();
        seen.push([entry.path, text, entry.linkPath]);
      }
      expect(seen).toEqual([
        ['a'.repeat(150), 'one', ''],
        ['b', '', ''],
        ['c', '', 't'],
      ]);
    }
  });

  it('refuses what is no archive and one that ends early', async () => {
    const read = async (bytes: Uint8Array): Promise<void> => {
      for await (const entry of readTar(chunksOf(bytes, 512))) for await (const _ of entry.content);
    };
    await expect(read(Buffer.alloc(1024, 'x'))).rejects.toThrow('not a tar archive');
    const header = encodeHeader({ ...tarHeaderOf(file('a', '')), sizeBytes: 100 });
    await expect(read(header)).rejects.toThrow('ends in the middle');
  });
});

async function* chunksOf(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
