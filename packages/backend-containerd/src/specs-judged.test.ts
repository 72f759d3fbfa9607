import { readdirSync, readFileSync } from 'node:fs';

import { Ajv, type ErrorObject } from 'ajv';
import { describe, expect, it } from 'vitest';

// The golden specifications before a judge that is not ours: the published schema of the OCI runtime specification.
const here = (path: string): URL => new URL(path, import.meta.url);
const readJson = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(here(path), 'utf8')) as Record<string, unknown>;

const folder = './testdata/runtime-spec/';
/** It is written for draft 4, of which it uses nothing that later drafts changed, but the name of the draft. */
const documents = readdirSync(here(folder))
  .filter((name) => name.endsWith('.json'))
  .map((name) => {
    const { $schema: _, ...document } = readJson(`${folder}${name}`);
    return { ...document, $id: `https://opencontainers.org/schema/${name}` };
  });
const judge = new Ajv({ strict: false, allErrors: true, schemas: documents }).getSchema(
  'https://opencontainers.org/schema/config-schema.json',
);

function objections(spec: unknown): string[] {
  if (!judge) throw new Error('there is no schema');
  void judge(spec);
  return (judge.errors ?? []).map(({ instancePath, message }: ErrorObject) => `${instancePath} ${message}`);
}

interface Golden {
  readonly process: object;
  readonly windows: object;
}
const golden = (path: string): Golden => readJson(path) as unknown as Golden;

describe('the published schema of the runtime specification', () => {
  it.each(['plain', 'everything'])('has no objection to the golden specification on Linux: %s', (name) => {
    expect(objections(golden(`./runc/testdata/${name}.spec.json`))).toEqual([]);
  });

  it.each(['plain', 'everything'])(
    'misses in the golden specification on Windows the layers, which come as rootfs instead (reference §4.2), and nothing else: %s',
    (name) => {
      const spec = golden(`./hcs/testdata/${name}.spec.json`);
      expect(objections(spec)).toEqual(["/windows must have required property 'layerFolders'"]);
      expect(objections({ ...spec, windows: { ...spec.windows, layerFolders: ['C:\\layer'] } })).toEqual([]);
    },
  );

  it.each([
    ['a processor count that is text', { windows: { layerFolders: ['x'], resources: { cpu: { count: '2' } } } }],
    ['a share beyond 16 bits', { windows: { layerFolders: ['x'], resources: { cpu: { maximum: 65_536 } } } }],
    ['a variable that is no text', { process: { cwd: '/', env: [1] } }],
    ['no directory', { process: { args: ['x'] } }],
    ['a mount without a destination', { mounts: [{ source: '/x' }] }],
    ['a namespace that is not one', { linux: { namespaces: [{ type: 'wifi' }] } }],
  ])('the control: it does object to %s', (_, part) => {
    expect(objections({ ociVersion: '1.1.0' })).toEqual([]);
    expect(objections({ ociVersion: '1.1.0', ...part })).not.toEqual([]);
  });
});
