import { readFileSync } from 'node:fs';

import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { buildRuncSpec, type RuncSpecInput } from './runc-spec.ts';

const schema = JSON.parse(
  readFileSync(new URL('./testdata/runtime-spec-1.0.2.schema.json', import.meta.url), 'utf8'),
) as object;
const isSpec = new Ajv({ allErrors: true }).compile(schema);

const plain: RuncSpecInput = {
  argv: ['/bin/sh', '-c', 'make'],
  cwd: '/src',
  env: [],
  user: { uid: 0, gid: 0, additionalGids: [] },
  home: '/root',
  hostname: 'builder',
  network: 'none',
  limits: {},
  binds: [],
  cgroupsPath: '/loam/ns/id',
  group: 'first',
  host: { unifiedCgroups: false, swapAccounting: true, maxOpenFiles: 524_288, oomScoreAdj: 0 },
};
const everything: RuncSpecInput = {
  ...plain,
  env: [
    ['A', '1'],
    ['PATH', '/opt/bin'],
    ['A', '2'],
    ['HOME', '/elsewhere'],
  ],
  user: { uid: 1000, gid: 1002, additionalGids: [50] },
  network: 'host',
  limits: { cpus: 1.5, memoryBytes: 512 << 20 },
  binds: [
    { source: '/state/caches/x/0', target: '/cache', readonly: false },
    { source: '/dev/shm/s/0', target: '/run/secrets/s', readonly: true, inert: true },
  ],
  host: { unifiedCgroups: true, swapAccounting: true, maxOpenFiles: 20_000, oomScoreAdj: -500 },
};

describe('buildRuncSpec', () => {
  it('golden: a plain step', async () => {
    await expect(JSON.stringify(buildRuncSpec(plain), undefined, 2)).toMatchFileSnapshot('testdata/plain.spec.json');
  });

  it('golden: a step with everything', async () => {
    await expect(JSON.stringify(buildRuncSpec(everything), undefined, 2)).toMatchFileSnapshot(
      'testdata/everything.spec.json',
    );
  });

  it('the last entry of a name wins, and PATH and HOME are filled in only when they are missing', () => {
    const env = (input: RuncSpecInput): string[] =>
      (buildRuncSpec(input) as { process: { env: string[] } }).process.env;
    expect(env(plain)).toEqual(['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root']);
    expect(env(everything)).toEqual(['PATH=/opt/bin', 'A=2', 'HOME=/elsewhere']);
  });

  it('no network means a namespace with nothing in it, the host network means none of its own', () => {
    const types = (input: RuncSpecInput): string[] =>
      (buildRuncSpec(input) as { linux: { namespaces: { type: string }[] } }).linux.namespaces.map(({ type }) => type);
    expect(types(plain)).toContain('network');
    expect(types(everything)).not.toContain('network');
    for (const input of [plain, everything]) {
      expect(types(input)).toEqual(expect.arrayContaining(['pid', 'mount', 'ipc', 'uts']));
    }
  });

  it('whatever it is given, it is a valid specification of version 1.0.2', () => {
    const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]*$/);
    const id = fc.integer({ min: 0, max: 2 ** 32 - 2 });
    const absolute = fc.string().map((text) => `/${text}`);
    const input = fc.record({
      argv: fc.array(fc.string(), { minLength: 1 }),
      cwd: absolute,
      env: fc.array(fc.tuple(name, fc.string())),
      user: fc.record({ uid: id, gid: id, additionalGids: fc.array(id) }),
      home: absolute,
      hostname: fc.string(),
      network: fc.constantFrom('none' as const, 'host' as const),
      limits: fc.record(
        { cpus: fc.double({ min: 0.001, max: 512, noNaN: true }), memoryBytes: fc.integer({ min: 1 }) },
        { requiredKeys: [] },
      ),
      binds: fc.array(fc.record({ source: absolute, target: absolute, readonly: fc.boolean() })),
      cgroupsPath: absolute,
      group: fc.string(),
      host: fc.record({
        unifiedCgroups: fc.boolean(),
        swapAccounting: fc.boolean(),
        maxOpenFiles: fc.integer({ min: 64, max: 524_288 }),
        oomScoreAdj: fc.integer({ min: -1000, max: 1000 }),
      }),
    });
    fc.assert(
      fc.property(input, (given) => {
        expect(isSpec(buildRuncSpec(given)), JSON.stringify(isSpec.errors)).toBe(true);
      }),
    );
  });

  it('the control: the schema does refuse', () => {
    expect(isSpec({ ...buildRuncSpec(plain), process: { args: [] } })).toBe(false);
    expect(isSpec({ ...buildRuncSpec(plain), unheardOf: 1 })).toBe(false);
  });
});
