/** One entry of a tar archive, before encoding. Paths as they shall stand in the archive; directories without a trailing slash. */
export interface TarHeader {
  readonly path: string;
  readonly type: TarType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the content that follows; 0 for everything but files. */
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly linkPath?: string;
  readonly major?: number;
  readonly minor?: number;
  /** Further PAX records, such as the `MSWINDOWS.*` ones of a Windows layer. */
  readonly pax?: Readonly<Record<string, string>>;
}

export type TarType = 'file' | 'hardlink' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo';

const typeFlags: Record<TarType, string> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};

export const blockSize = 512;
const encoder = new TextEncoder();
/** What eleven and seven octal digits hold. */
const maxSize = 0o77777777777;
const maxId = 0o7777777;

/**
 * The header blocks of one entry: ustar where that can say everything, with a PAX extended header before it where not
 * (long names, names outside ASCII, large sizes and ids). Deterministic.
 * Source: POSIX.1-2008 pax, "ustar Interchange Format" and "pax Extended Header".
 */
export function encodeHeader(header: TarHeader): Uint8Array {
  const path = header.type === 'directory' ? `${header.path}/` : header.path;
  const records: [string, string][] = [];
  if (!fitsField(path)) records.push(['path', path]);
  if (header.linkPath !== undefined && !fitsField(header.linkPath)) records.push(['linkpath', header.linkPath]);
  if (header.sizeBytes > maxSize) records.push(['size', String(header.sizeBytes)]);
  if (header.uid > maxId) records.push(['uid', String(header.uid)]);
  if (header.gid > maxId) records.push(['gid', String(header.gid)]);
  const mtime = Math.floor(header.mtimeSeconds);
  if (mtime < 0 || mtime > maxSize) records.push(['mtime', String(mtime)]);
  records.push(...Object.entries(header.pax ?? {}));

  const plain = {
    ...header,
    name: field(path),
    linkName: header.linkPath === undefined ? '' : field(header.linkPath),
    size: header.sizeBytes > maxSize ? 0 : header.sizeBytes,
    uid: header.uid > maxId ? 0 : header.uid,
    gid: header.gid > maxId ? 0 : header.gid,
    mtime: mtime < 0 || mtime > maxSize ? 0 : mtime,
    flag: typeFlags[header.type],
  };
  if (records.length === 0) return ustarBlock(plain);
  const body = encodePax(records);
  const extended = ustarBlock({
    name: 'PaxHeaders/entry',
    linkName: '',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: 0,
    flag: 'x',
  });
  const out = new Uint8Array(blockSize + padded(body.length) + blockSize);
  out.set(extended, 0);
  out.set(body, blockSize);
  out.set(ustarBlock(plain), blockSize + padded(body.length));
  return out;
}

/** `size` rounded up to whole blocks. */
export function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize;
}

function fitsField(text: string): boolean {
  return text.length <= 100 && /^[\x20-\x7e]*$/.test(text);
}

/** What stands in the short field of an entry whose real name is in the PAX header. */
function field(text: string): string {
  return fitsField(text) ? text : 'see-pax-header';
}

interface UstarFields {
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly flag: string;
  readonly major?: number;
  readonly minor?: number;
}

function ustarBlock(fields: UstarFields): Uint8Array {
  const block = new Uint8Array(blockSize);
  const text = (offset: number, value: string): void => {
    encoder.encodeInto(value, block.subarray(offset));
  };
  const octal = (offset: number, digits: number, value: number): void =>
    text(offset, value.toString(8).padStart(digits, '0'));
  text(0, fields.name);
  octal(100, 7, fields.mode);
  octal(108, 7, fields.uid);
  octal(116, 7, fields.gid);
  octal(124, 11, fields.size);
  octal(136, 11, fields.mtime);
  text(148, '        ');
  text(156, fields.flag);
  text(157, fields.linkName);
  text(257, 'ustar\0' + '00');
  octal(329, 7, fields.major ?? 0);
  octal(337, 7, fields.minor ?? 0);
  let sum = 0;
  for (const byte of block) sum += byte;
  octal(148, 6, sum);
  block[154] = 0;
  return block;
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function encodePax(records: readonly (readonly [string, string])[]): Uint8Array {
  const parts = records.map(([key, value]) => {
    const rest = encoder.encode(` ${key}=${value}\n`);
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    return Buffer.concat([encoder.encode(String(length)), rest]);
  });
  return Buffer.concat(parts);
}
