import type { SnapshotName } from '@loam/backend';
import { brokenRules, recordedRuns, runProgram, type Program } from '@loam/containerd-model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openModelBackend } from '../testing/model-backend.ts';
import { nano, openModelEngine, type ModelEngine } from '../testing/model-engine.ts';

// The ten rules of the reference's §0, kept by engine and back end as a whole: one story with everything that a rule speaks
// of, recorded by the model and judged. That each judge convicts is shown in the model's own tests; and every other test on
// the model is judged as well, when it ends (testing/model-backend.ts).
let opened: ModelEngine;
const outputBytes = 3_000_000;
const flood: Program = async (context) => {
  if (!context.commandLine.includes('flood')) return runProgram(context);
  context.output('stdout', new Uint8Array(outputBytes).fill(35));
  return 0;
};

beforeEach(async () => {
  opened = await openModelEngine({ model: { program: flood } });
});
afterEach(async () => {
  expect(await opened.close()).toEqual([]);
});

const head = `(from ${nano}) (user (name ContainerAdministrator)) (env EMPTY "") (env FULL x)`;

it('§0 rules 1 to 10: a story of everything breaks none', async () => {
  const built = await opened.build(
    `((build tools (${head} (run (shell "echo tool> C:\\\\tool.txt"))))
      ${head}
      (copy (src extract-me) (dst "C:\\\\in\\\\")) (copy (from (build tools)) (src /tool.txt) (dst "C:\\\\in\\\\"))
      (run (network host) (cache (c (target "C:\\\\c"))) (secrets (token (target "C:\\\\token"))) (shell flood)))`,
    { files: { 'extract-me': 'x' }, secrets: { token: 's3cret' } },
  );
  expect(built.kind).toBe('succeeded');
  expect(built.log.replaceAll(/[^#]/g, '')).toHaveLength(outputBytes);
  expect((await opened.build(`(${head} (run (shell "exit 3")))`)).kind).toBe('failed');
  const abort = new AbortController();
  const cancelled = await opened.build(`(${head} (run (shell "echo started & ping -n 100 127.0.0.1")))`, {
    signal: abort.signal,
    onLog: (text) => void (text.includes('started') && abort.abort()),
  });
  expect(cancelled.kind).toBe('cancelled');
  const { store } = opened.test.backend;
  await store.remove(built.snapshot as SnapshotName);

  const { recording, faults } = opened.test.model;
  // The story does say something about every rule.
  const methods = ['Prepare', 'View', 'Commit', 'Remove'].map((name) => `Snapshots.${name}`);
  const ofTasks = ['Create', 'Start', 'Wait', 'Exec', 'Kill', 'Delete'].map((name) => `Tasks.${name}`);
  expect(faults.calls).toEqual(expect.arrayContaining([...methods, ...ofTasks, 'Diff.Apply', 'Containers.Create']));
  const runs = recordedRuns(recording);
  expect(runs.some(({ spec }) => (spec.mounts ?? []).length === 2)).toBe(true);
  expect(runs.flatMap(({ spec }) => spec.process?.env ?? [])).toContain('FULL=x');
  expect(brokenRules(recording)).toEqual([]);
});

describe('§0 rule 8: what is removed', () => {
  it('is on the disk until the collector is asked, and the back end asks', async () => {
    // A collector that comes by itself only after many writes.
    const test = await openModelBackend({ model: { mutationThreshold: 1000 } });
    const { backend, model } = test;
    const lease = await backend.store.lease('test');
    const working = await backend.store.prepare(null, 'layer', lease);
    await backend.store.commit(working, 'to-go' as SnapshotName, {});
    await lease.release();
    const before = model.snapshotDirectories();
    await backend.store.remove('to-go' as SnapshotName);
    expect(model.snapshotDirectories()).toEqual(before);
    await backend.settled();
    expect(model.snapshotDirectories()).toEqual([]);
    await test.close();
  });
});
