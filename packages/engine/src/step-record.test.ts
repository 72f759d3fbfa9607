import type { Digest, StepId } from '@loam/base';
import { describe, expect, it } from 'vitest';

import {
  canonicalJson,
  stepId,
  type CopyBuildRecord,
  type CopyContextRecord,
  type FromRecord,
  type RunRecord,
} from './index.ts';

const base = { format: 1, platform: 'linux/amd64' } as const;
const digest = `sha256:${'ab'.repeat(32)}` as Digest;
const parent = 'cd'.repeat(32) as StepId;
const root = { kind: 'id', uid: 0, gid: 0 } as const;

const from: FromRecord = { ...base, kind: 'from', digest };
const run: RunRecord = {
  ...base,
  kind: 'run',
  parent,
  command: 'echo "Grüße, 世界"',
  shell: ['/bin/bash', '-c'],
  workdir: '/src',
  user: { kind: 'id', uid: 1000, gid: 1001 },
  env: [
    ['PATH', '/bin'],
    ['A', ''],
  ],
  network: 'host',
  caches: [{ id: 'opam', target: '/home/opam/.opam' }],
  secrets: [{ id: 'token', target: '/run/secrets/token' }],
};
const copyContext: CopyContextRecord = {
  ...base,
  kind: 'copy-context',
  parent,
  destination: '/src/',
  user: root,
  items: [
    {
      path: 'lib',
      entries: [
        { kind: 'directory', path: 'lib' },
        { kind: 'file', path: 'lib/a', sizeBytes: 3, mode: 0o755, digest },
        { kind: 'symlink', path: 'lib/b', target: 'a' },
      ],
    },
  ],
};
const copyBuild: CopyBuildRecord = {
  ...base,
  kind: 'copy-build',
  parent,
  from: 'ef'.repeat(32) as StepId,
  sources: ['/out'],
  excludes: ['.git'],
  destination: '/x',
  user: { kind: 'name', name: 'builder' },
};

describe('step ids', () => {
  // A digest that changes here makes every step of every farm a miss. If that is meant, raise `stepRecordFormat`.
  it('are pinned', () => {
    expect([from, run, copyContext, copyBuild].map(stepId)).toMatchInlineSnapshot(`
      [
        "2548ccd1fe72c16640cf11dd5885fce474d328249044dc9f1a19edb6acfc107d",
        "38a441b3d6d9e9a07bcbe60897539f732a26661f6eb17a0afafcdfa1fc5def23",
        "260a74977017c6765e73d47064080f445d5f20a4686876d2e362944d3797a676",
        "2849ff27b7301d8dbb2f9b942d509aaa051168ac74a45b007838ae28f7f27bd0",
      ]
    `);
  });

  it('hash this text', () => {
    expect(canonicalJson(run)).toMatchInlineSnapshot(
      `"{"caches":[{"id":"opam","target":"/home/opam/.opam"}],"command":"echo \\"Grüße, 世界\\"","env":[["PATH","/bin"],["A",""]],"format":1,"kind":"run","network":"host","parent":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","platform":"linux/amd64","secrets":[{"id":"token","target":"/run/secrets/token"}],"shell":["/bin/bash","-c"],"user":{"gid":1001,"kind":"id","uid":1000},"workdir":"/src"}"`,
    );
  });

  it('change with every field, and only with fields', () => {
    const variants: RunRecord[] = [
      run,
      { ...run, platform: 'windows/amd64:10.0.20348.2700' },
      { ...run, parent: 'ce'.repeat(32) as StepId },
      { ...run, command: `${run.command} ` },
      { ...run, shell: ['/bin/bash -c'] },
      { ...run, workdir: '/' },
      { ...run, user: root },
      { ...run, user: { kind: 'name', name: '1000:1001' } },
      { ...run, env: run.env.toReversed() },
      { ...run, env: [...run.env, ['B', '']] },
      { ...run, network: 'none' },
      { ...run, caches: [] },
      { ...run, caches: run.secrets, secrets: run.caches },
    ];
    expect(new Set(variants.map(stepId)).size).toBe(variants.length);
    const turned = Object.fromEntries(Object.entries(run).toReversed()) as unknown as RunRecord;
    expect(stepId(turned)).toBe(stepId(run));
  });

  it('tell bytes that are no text apart', () => {
    const odd = (command: string): StepId => stepId({ ...run, command });
    expect(new Set(['\udc80', '\udc81', '\ufffd', '\\udc80'].map(odd)).size).toBe(4);
  });
});
