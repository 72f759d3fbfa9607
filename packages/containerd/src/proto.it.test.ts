import { readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { fromBinary, type DescField, type DescFile, type DescMessage } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { FileDescriptorProtoSchema, type DescriptorProto, type FieldDescriptorProto } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';

const programs = ['containerd', 'containerd-shim-runc-v2'];
const generated = new URL('gen/', import.meta.url);
/** Names that 1.6 has for what moved later. */
const earlierNames = new Map([['containerd.types.Envelope', 'containerd.services.events.v1.Envelope']]);
const syntaxField = 12;
/** Not in Linux programs; their numbers come from the reference alone. */
const isWindowsOnly = (name: string): boolean => name.startsWith('containerd.runhcs.');
/** Later additions, which an older server skips. */
const laterFields = new Set([
  'containerd.types.Platform.os_version',
  'containerd.types.Platform.os_features',
  'containerd.services.introspection.v1.ServerResponse.pid',
  'containerd.services.introspection.v1.ServerResponse.pidns',
  'io.containerd.cgroups.v2.MemoryStat.max_usage',
  'containerd.events.SnapshotPrepare.snapshotter',
  'containerd.events.SnapshotCommit.snapshotter',
  'containerd.events.SnapshotRemove.snapshotter',
]);

describe('our description of the protocol', () => {
  it('has the names, numbers and types of the installed containerd', async () => {
    const theirs = new Map<string, DescriptorProto>();
    for (const program of programs)
      for (const [name, message] of messagesInside(locate(program))) theirs.set(name, message);
    const differences: string[] = [];
    let compared = 0;
    for (const message of await ourMessages()) {
      if (isWindowsOnly(message.typeName)) continue;
      const other = theirs.get(message.typeName) ?? theirs.get(earlierNames.get(message.typeName) ?? '');
      if (!other) {
        differences.push(`${message.typeName} is not in containerd`);
        continue;
      }
      for (const field of message.fields) {
        const path = `${message.typeName}.${field.name}`;
        const match = other.field.find(({ name }) => name === field.name);
        if (!match && laterFields.has(path)) continue;
        compared += 1;
        const [ours, expected] = [describeOurs(field), match && describeTheirs(match)];
        if (ours !== expected) differences.push(`${path}: ours is ${ours}, containerd's is ${expected}`);
      }
    }
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(200);
  });
});

async function ourMessages(): Promise<DescMessage[]> {
  const files = readdirSync(generated, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('_pb.ts'));
  const messages: DescMessage[] = [];
  for (const name of files) {
    const module: Record<string, unknown> = await import(new URL(name, generated).href);
    const [, file] = Object.entries(module).find(([key]) => key.startsWith('file_')) ?? [];
    for (const message of (file as DescFile).messages) messages.push(message, ...message.nestedMessages);
  }
  return messages;
}

function describeOurs(field: DescField): string {
  const repeated = field.fieldKind === 'list' || field.fieldKind === 'map' ? ' repeated' : '';
  return `${field.number}${repeated} ${field.proto.type}`;
}

function describeTheirs(field: FieldDescriptorProto): string {
  return `${field.number}${field.label === 3 ? ' repeated' : ''} ${field.type}`;
}

function messagesInside(path: string): Map<string, DescriptorProto> {
  const program = readFileSync(path);
  const messages = new Map<string, DescriptorProto>();
  for (const bytes of [...compressedDescriptors(program), ...plainDescriptors(program)]) {
    try {
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      for (const message of file.messageType) {
        messages.set(`${file.package}.${message.name}`, message);
        for (const nested of message.nestedType) messages.set(`${file.package}.${message.name}.${nested.name}`, nested);
      }
    } catch {
      // Bytes that happen to look like one.
    }
  }
  return messages;
}

/** containerd 1.6 was made with gogo/protobuf: programs carry the gzipped descriptor of each file that they speak. */
function* compressedDescriptors(program: Buffer): Generator<Uint8Array> {
  const magic = Buffer.from([0x1f, 0x8b, 0x08, 0x00]);
  const headerLength = 10;
  for (let at = program.indexOf(magic); at !== -1; at = program.indexOf(magic, at + 1)) {
    try {
      yield inflateRawSync(program.subarray(at + headerLength, at + 512 * 1024));
    } catch {
      // Four bytes that happen to look like the start of one.
    }
  }
}

/** Later versions were made with protoc-gen-go, whose descriptors are not compressed: from the name of the file (field 1) to its syntax (12). */
function* plainDescriptors(program: Buffer): Generator<Uint8Array> {
  const ending = '.proto\u0012';
  for (let at = program.indexOf(ending); at !== -1; at = program.indexOf(ending, at + 1)) {
    const nameEnd = at + ending.length - 1;
    for (let length = ending.length; length < 128; length += 1) {
      const start = nameEnd - length - 2;
      if (program[start] !== 0x0a || program[start + 1] !== length) continue;
      const end = endOfFile(program, start);
      if (end !== undefined) yield program.subarray(start, end);
    }
  }
}

/** Where the descriptor ends that begins at `start`. All fields of one are strings or messages. */
function endOfFile(program: Buffer, start: number): number | undefined {
  const reader = new BinaryReader(program.subarray(start, start + 512 * 1024));
  try {
    for (;;) {
      const [field, type] = reader.tag();
      if (field > syntaxField) return undefined;
      reader.skip(type, field);
      if (field === syntaxField) return start + reader.pos;
    }
  } catch {
    return undefined;
  }
}

function locate(program: string): string {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      if (readdirSync(directory).includes(program)) return join(directory, program);
    } catch {
      // A directory of the path that does not exist.
    }
  }
  throw new Error(`${program} is not installed: apt-get install containerd`);
}
