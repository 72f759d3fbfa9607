import { Readable } from 'node:stream';

import type { TreeEntry } from '@loam/backend';
import { extract, type TarStreamHeader } from 'tar-stream';
import { describe, expect, it } from 'vitest';

import { writeTar } from '../tar/tar-writer.ts';
import { windowsLayerItems } from './layer-items.ts';

const meta = { uid: 1000, gid: 1000, mode: 0o4755, mtimeMs: 1_700_000_000_900 };

function file(path: string, text: string, onOpen = (): void => undefined): TreeEntry {
  const bytes = new TextEncoder().encode(text);
  const open = (): AsyncIterable<Uint8Array> => {
    onOpen();
    return Readable.from([bytes]);
  };
  return { ...meta, kind: 'file', path, sizeBytes: bytes.length, open };
}

async function* from(entries: readonly TreeEntry[]): AsyncIterable<TreeEntry> {
  yield* entries;
}

async function tarOf(...entries: TreeEntry[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(windowsLayerItems(from(entries)))) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Read by an implementation that is not ours. */
async function headersOf(tar: Buffer): Promise<(TarStreamHeader & { text: string })[]> {
  const reader = extract();
  Readable.from([tar]).pipe(reader);
  const headers: (TarStreamHeader & { text: string })[] = [];
  for await (const entry of reader) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry) chunks.push(chunk);
    headers.push({ ...entry.header, text: Buffer.concat(chunks).toString() });
  }
  return headers;
}

const everything: TreeEntry[] = [
  { ...meta, kind: 'directory', path: '' },
  { ...meta, kind: 'directory', path: 'src' },
  file('src/main.c', 'int main;'),
  file('deep/er/größe.txt', 'x'),
  { ...meta, kind: 'hardlink', path: 'src/again.c', target: 'src/main.c' },
  { ...meta, kind: 'symlink', path: 'link', target: 'src\\main.c' },
  file(`long/${'n'.repeat(120)}`, ''),
];

describe('a Windows layer', () => {
  it('golden: its bytes', async () => {
    const tar = await tarOf(...everything);
    const lines = tar.toString('base64').replace(/.{1,120}/g, '$&\n');
    await expect(lines).toMatchFileSnapshot('testdata/layer.tar.base64');
  });

  it('begins with Hives and Files, and has every directory before what is in it', async () => {
    const headers = await headersOf(await tarOf(...everything));
    expect(headers.map(({ name, type }) => `${type} ${name}`)).toEqual([
      'directory Hives/',
      'directory Files/',
      'directory Files/src/',
      'file Files/src/main.c',
      'directory Files/deep/',
      'directory Files/deep/er/',
      'file Files/deep/er/größe.txt',
      'link Files/src/again.c',
      'symlink Files/link',
      'directory Files/long/',
      `file Files/long/${'n'.repeat(120)}`,
    ]);
  });

  it('names the source of a hard link as the layer has it, and leaves a symbolic link as it is', async () => {
    const headers = await headersOf(await tarOf(...everything));
    const linkOf = (path: string): string | null | undefined => headers.find(({ name }) => name === path)?.linkname;
    expect(linkOf('Files/src/again.c')).toBe('Files/src/main.c');
    expect(linkOf('Files/link')).toBe('src\\main.c');
  });

  it('gives every entry attributes, creation time and a security descriptor, and nobody else as owner', async () => {
    for (const { name, type, pax, uid, gid, mode } of await headersOf(await tarOf(...everything))) {
      expect(pax, name).toMatchObject({
        'MSWINDOWS.fileattr': type === 'directory' ? '16' : '32',
        'LIBARCHIVE.creationtime': /^Files\/.|/.exec(name)?.[0] ? '1700000000.0' : '0.0',
      });
      const descriptor = Buffer.from(pax?.['MSWINDOWS.rawsd'] ?? '', 'base64');
      expect(descriptor.readUInt16LE(0), 'revision 1').toBe(1);
      expect(descriptor.readUInt16LE(2) & 0x8004, 'self-relative, with a DACL').toBe(0x8004);
      expect(descriptor.length, 'as long as its DACL says').toBe(
        descriptor.readUInt32LE(16) + descriptor.readUInt16LE(descriptor.readUInt32LE(16) + 2),
      );
      expect({ uid, gid, mode }).toEqual({ uid: 0, gid: 0, mode: type === 'directory' ? 0o755 : 0o644 });
    }
  });

  it('vectors (10) tar names: its names are separated by "/" only', async () => {
    await expect(tarOf(file('a\\b', ''))).rejects.toMatchObject({ code: 'backend.names-unsupported' });
  });

  it('that Windows could not hold is refused with all reasons at once, and reads nothing after the first', async () => {
    let opened = 0;
    const open = (): void => void opened++;
    const layer = tarOf(
      file('ok', 'x', open),
      file('nul', 'x', open),
      { ...meta, kind: 'fifo', path: 'pipe', major: 0, minor: 0 },
      file('OK', 'x', open),
      file('fine', 'x', open),
    );
    await expect(layer).rejects.toThrow(
      'Windows cannot keep these names: "nul" (it is the name of a device), ' +
        '"pipe" (it is a device or a named pipe), "OK" (it is the same as "ok" there).',
    );
    expect(opened).toBe(1);
  });
});
