import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';

import { extract, type TarStreamHeader } from 'tar-stream';
import { beforeAll, describe, expect, it } from 'vitest';

import { toSddl } from '../testing/security-descriptor.ts';

// The golden layer before judges that are not ours: tar-stream for the archive, and the descriptors turned into SDDL by
// Microsoft's own description of their form. That its bytes are the ones we write is shown in layer-items.test.ts.
let headers: TarStreamHeader[];
beforeAll(async () => {
  const golden = readFileSync(new URL('./testdata/layer.tar.base64', import.meta.url), 'utf8');
  headers = [];
  for await (const entry of Readable.from([Buffer.from(golden, 'base64')]).pipe(extract())) {
    headers.push(entry.header);
    for await (const _ of entry);
  }
});

/** What the reference's §3.5 says of BuildKit's descriptors, in SDDL. */
const sddl = {
  directory:
    'O:BAG:SYD:(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;;FA;;;BA)(A;OICIIO;GA;;;CO)(A;OICI;0x1200a9;;;BU)(A;CI;LC;;;BU)(A;CI;DC;;;BU)',
  other: 'O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)',
};

describe('the golden layer', () => {
  it('begins with Hives and Files, and has everything else below Files, under names with "/" only', () => {
    expect(headers.slice(0, 2).map(({ name, type }) => [name, type])).toEqual([
      ['Hives/', 'directory'],
      ['Files/', 'directory'],
    ]);
    expect(headers.length).toBeGreaterThan(8);
    for (const { name } of headers.slice(2)) expect(name).toMatch(/^Files\/[^\\]+$/);
  });

  it('has every directory before what is in it, and every hard link after its file', () => {
    const seen = new Set<string>();
    for (const { name, type, linkname } of headers) {
      const path = name.replace(/\/$/, '');
      const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
      if (parent !== '') expect(seen, path).toContain(parent);
      if (type === 'link') expect(seen, path).toContain(linkname);
      seen.add(path);
    }
  });

  it('has on every entry the PAX records of a Windows layer: attributes, creation time and descriptor', () => {
    for (const { name, type, pax } of headers) {
      expect(Object.keys(pax ?? {}), name).toEqual(
        expect.arrayContaining(['LIBARCHIVE.creationtime', 'MSWINDOWS.fileattr', 'MSWINDOWS.rawsd']),
      );
      // FILE_ATTRIBUTE_DIRECTORY and FILE_ATTRIBUTE_ARCHIVE.
      expect(Number(pax?.['MSWINDOWS.fileattr']), name).toBe(type === 'directory' ? 0x10 : 0x20);
      expect(pax?.['LIBARCHIVE.creationtime'], name).toMatch(/^\d+\.\d+$/);
    }
  });

  it('gives rights to administrators and the system, and reading to users; and nothing that is inherited from nowhere', () => {
    for (const { name, type, pax } of headers) {
      const descriptor = Buffer.from(pax?.['MSWINDOWS.rawsd'] ?? '', 'base64');
      expect(toSddl(descriptor), name).toBe(type === 'directory' ? sddl.directory : sddl.other);
    }
  });
});

describe('the judge of descriptors', () => {
  const descriptor = (): Buffer => Buffer.from(headers.at(-1)?.pax?.['MSWINDOWS.rawsd'] ?? '', 'base64');

  it('sees another right, another user and another flag', () => {
    const changed = (at: number, value: number): string => {
      const bytes = descriptor();
      bytes[at] = value;
      return toSddl(bytes);
    };
    const dacl = descriptor().readUInt32LE(16);
    expect(changed(dacl + 8 + 4, 0xa9)).not.toBe(sddl.other);
    expect(changed(dacl + 8 + 1, 3)).toContain('(A;OICI;');
    expect(changed(descriptor().readUInt32LE(4) + 12, 0x21)).toMatch(/^O:BU/);
  });

  it('refuses what is cut off, or has a list of another length', () => {
    expect(() => toSddl(descriptor().subarray(0, -1))).toThrow();
    const longer = Buffer.concat([descriptor(), Buffer.alloc(4)]);
    expect(() => toSddl(longer)).toThrow('4 bytes belong to nothing');
  });
});
