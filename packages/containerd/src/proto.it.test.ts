import { readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { fromBinary, type DescField, type DescFile, type DescMessage } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, type DescriptorProto, type FieldDescriptorProto } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';

const programs = ['containerd', 'containerd-shim-runc-v2'];
const generated = new URL('gen/', import.meta.url);
/** Names that 1.6 has for what moved later. */
const earlierNames = new Map([['containerd.types.Envelope', 'containerd.services.events.v1.Envelope']]);
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
  it('has the names, numbers and types of the installed containerd', async (context) => {
    const theirs = new Map<string, DescriptorProto>();
    for (const program of programs)
      for (const [name, message] of messagesInside(locate(program))) theirs.set(name, message);
    if (theirs.size === 0) context.skip('only containerd 1.6 carries its descriptors in a form that can be found');
    const differences: string[] = [];
    let compared = 0;
    for (const message of await ourMessages()) {
      if (isWindowsOnly(message.typeName)) continue;
      const other = theirs.get(earlierNames.get(message.typeName) ?? message.typeName);
      if (!other) {
        differences.push(`${message.typeName} is not in containerd`);
        continue;
      }
      for (const field of message.fields) {
        const path = `${message.typeName}.${field.name}`;
        if (laterFields.has(path)) continue;
        compared += 1;
        const match = other.field.find(({ name }) => name === field.name);
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

/** Go programs with gogo/protobuf carry the gzipped descriptor of each file that they speak. */
function messagesInside(path: string): Map<string, DescriptorProto> {
  const program = readFileSync(path);
  const magic = Buffer.from([0x1f, 0x8b, 0x08, 0x00]);
  const headerLength = 10;
  const messages = new Map<string, DescriptorProto>();
  for (let at = program.indexOf(magic); at !== -1; at = program.indexOf(magic, at + 1)) {
    try {
      const bytes = inflateRawSync(program.subarray(at + headerLength, at + 512 * 1024));
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      for (const message of file.messageType) {
        messages.set(`${file.package}.${message.name}`, message);
        for (const nested of message.nestedType) messages.set(`${file.package}.${message.name}.${nested.name}`, nested);
      }
    } catch {
      // Four bytes that happen to look like the start of one.
    }
  }
  return messages;
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
