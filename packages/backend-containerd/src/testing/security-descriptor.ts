/**
 * Turns a self-relative security descriptor into SDDL. Written from Microsoft's open specification MS-DTYP (§2.4.2 SID,
 * §2.4.4 ACE, §2.4.5 ACL, §2.4.6 SECURITY_DESCRIPTOR, §2.5.1 SDDL), as far as our layers use it; refuses all else, and
 * bytes that belong to nothing.
 */
export function toSddl(bytes: Buffer): string {
  if (bytes.readUInt8(0) !== 1) throw new Error('the revision is not 1');
  const control = bytes.readUInt16LE(2);
  if ((control & selfRelative) === 0 || (control & daclPresent) === 0) throw new Error('it has no DACL of its own');
  if (bytes.readUInt32LE(12) !== 0) throw new Error('it has a SACL');
  const owner = readSid(bytes, bytes.readUInt32LE(4));
  const group = readSid(bytes, bytes.readUInt32LE(8));
  const dacl = bytes.readUInt32LE(16);
  const daclLength = bytes.readUInt16LE(dacl + 2);
  const used = headerLength + owner.length + group.length + daclLength;
  if (used !== bytes.length) throw new Error(`${bytes.length - used} bytes belong to nothing`);
  return `O:${owner.name}G:${group.name}D:${readAcl(bytes.subarray(dacl, dacl + daclLength)).join('')}`;
}

const selfRelative = 0x8000;
const daclPresent = 0x0004;
const headerLength = 20;

const sids: Readonly<Record<string, string>> = {
  'S-1-3-0': 'CO',
  'S-1-5-18': 'SY',
  'S-1-5-32-544': 'BA',
  'S-1-5-32-545': 'BU',
};
const aceFlags = [
  [0x01, 'OI'],
  [0x02, 'CI'],
  [0x04, 'NP'],
  [0x08, 'IO'],
  [0x10, 'ID'],
] as const;
const rights: Readonly<Record<number, string>> = {
  0x10000000: 'GA',
  0x1f01ff: 'FA',
  0x2: 'DC',
  0x4: 'LC',
};

function readSid(bytes: Buffer, at: number): { readonly name: string; readonly length: number } {
  if (bytes.readUInt8(at) !== 1) throw new Error('the revision of a SID is not 1');
  const count = bytes.readUInt8(at + 1);
  const parts = Array.from({ length: count }, (_, index) => bytes.readUInt32LE(at + 8 + 4 * index));
  const sid = ['S-1', bytes.readUIntBE(at + 2, 6), ...parts].join('-');
  return { name: sids[sid] ?? sid, length: 8 + 4 * count };
}

function readAcl(acl: Buffer): string[] {
  const count = acl.readUInt16LE(4);
  const entries: string[] = [];
  let at = 8;
  for (let index = 0; index < count; index += 1) {
    const length = acl.readUInt16LE(at + 2);
    entries.push(readAce(acl.subarray(at, at + length)));
    at += length;
  }
  if (at !== acl.length) throw new Error('the list has another length than its entries');
  return entries;
}

function readAce(ace: Buffer): string {
  if (ace.readUInt8(0) !== 0) throw new Error('an entry allows nothing');
  const flags = aceFlags.map(([bit, name]) => ((ace.readUInt8(1) & bit) === 0 ? '' : name)).join('');
  const mask = ace.readUInt32LE(4);
  const sid = readSid(ace, 8);
  if (8 + sid.length !== ace.length) throw new Error('an entry has another length than its SID');
  return `(A;${flags};${rights[mask] ?? `0x${mask.toString(16)}`};;;${sid.name})`;
}
