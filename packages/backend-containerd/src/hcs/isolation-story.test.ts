import { baseLayer } from '@loam/containerd-model';
import { afterEach, describe, expect, it } from 'vitest';

import type { ModelBackendOptions } from '../testing/model-backend.ts';
import { importWindowsImage, nano, openModelEngine, type ModelEngine } from '../testing/model-engine.ts';

// Whole builds on a model of Windows containerd, which refuses what the reference (§4.3, §7.3, §10) says Windows refuses.
const old = 'mcr.example.org/windows/nanoserver:ltsc2019';
const oldParts = {
  osVersion: '10.0.17763.1',
  layerTar: () => baseLayer({ build: 17763, utilityVm: true }),
};
let world: ModelEngine;

async function open(options: ModelBackendOptions = {}): Promise<void> {
  world = await openModelEngine(options);
}

afterEach(async () => {
  expect(await world.close()).toEqual([]);
});

const admin = '(user (name ContainerAdministrator))';
const spec = String.raw`((build tools ((from ${old}) ${admin} (run (shell "echo made> C:\\made.txt"))))
  (from ${old}) ${admin}
  (copy (from (build tools)) (src "C:\\made.txt") (dst "C:\\in\\"))
  (run (shell "type C:\\in\\made.txt")))`;

describe('an image that is older than its host', () => {
  it('runs in virtual machines where the operator allows them, and its snapshots are read in them too', async () => {
    await open({ driver: { isolation: 'process-or-hyperv' }, model: { host: { hyperV: true } } });
    await importWindowsImage(world.test, old, oldParts);
    expect(await world.build(spec)).toMatchObject({
      kind: 'succeeded',
      log: expect.stringContaining('made') as string,
    });
    // What a step stands on is still known after a restart, when only containerd remembers it.
    await world.test.crash();
    await world.test.backend.store.reconcile();
    await world.reopen();
    const again = await world.build(
      spec
        .replace('(dst "C:\\\\in\\\\")', '(dst "C:\\\\other\\\\")')
        .replace('C:\\\\in\\\\made', 'C:\\\\other\\\\made'),
    );
    expect(again).toMatchObject({ kind: 'succeeded' });
    expect(again.ended).toContain('tools/1 hit');
  });

  it('says so where the host has no virtual machines', async () => {
    await open({ driver: { isolation: 'process-or-hyperv' } });
    await importWindowsImage(world.test, old, oldParts);
    expect(await world.build(spec)).toMatchObject({ kind: 'failed', error: { code: 'backend.hyperv-missing' } });
  });

  it('is refused elsewhere, with the tags that fit', async () => {
    await open();
    await importWindowsImage(world.test, old, oldParts);
    const { error } = await world.build(spec);
    expect(error).toMatchObject({ message: expect.stringMatching(/ltsc2022.*17763/) as string });
  });
});

describe('a build that asks for an isolation', () => {
  const hello = `((from ${nano}) (run (shell "echo hello")))`;

  it('has it where the operator allows both', async () => {
    await open({ driver: { isolation: 'process-or-hyperv' } });
    // The model's host has no Hyper-V: that it is missed shows that it was asked for.
    const error = { code: 'backend.hyperv-missing' };
    expect(await world.build(hello, { limits: { isolation: 'hyperv' } })).toMatchObject({ kind: 'failed', error });
    expect(await world.build(hello, { limits: { isolation: 'process' } })).toMatchObject({ kind: 'succeeded' });
  });

  it('is refused where the operator allows only the other one', async () => {
    await open();
    expect(await world.build(hello, { limits: { isolation: 'hyperv' } })).toMatchObject({
      kind: 'failed',
      error: { code: 'backend.isolation-refused' },
    });
  });
});

it('what a step writes is accounted twice, since it lies on the disk twice, and what a copy writes once', async () => {
  await open();
  const text = 'x'.repeat(10_000);
  const built = await world.build(
    String.raw`((from ${nano}) ${admin} (copy (src big) (dst "C:\\big")) (run (shell "copy C:\\big C:\\again")))`,
    { files: { big: text } },
  );
  const sizes = built.events.flatMap((event) => (event.type === 'step-ended' ? [event.sizeBytes ?? 0] : []));
  expect(built.kind).toBe('succeeded');
  expect(sizes[1]).toBe(10_000);
  expect(sizes[2]).toBe(20_000);
});

it('the time of a commit is told apart from that of the step, while it lasts and afterwards', async () => {
  const commitMs = 150;
  await open({ model: { commitMs: () => commitMs } });
  const { events } = await world.build(`((from ${nano}) ${admin} (run (shell "echo x> C:/x.txt")))`);
  const told = events.flatMap((event) =>
    event.type === 'step-progress' && event.position === '1' ? [event.phase] : [],
  );
  expect(told).toEqual(['preparing', 'running', 'committing']);
  const ended = events.find((event) => event.type === 'step-ended' && event.position === '1');
  const phases = ended?.type === 'step-ended' ? ended.phases : undefined;
  const commit = phases?.find(({ phase }) => phase === 'committing');
  expect(commit?.durationMs).toBeGreaterThanOrEqual(commitMs * 0.9);
});

it('the disk size that a build asks for is that of each of its steps', async () => {
  await open();
  const scratchBytes = 60 * 2 ** 30;
  await world.build(`((from ${nano}) (run (shell "echo 1")) (run (shell "echo 2")))`, { limits: { scratchBytes } });
  const sizes = world.test.model.recording.calls
    .filter(({ method }) => method === 'Snapshots.Prepare')
    .map(({ request }) => request as { key: string; labels: Record<string, string> })
    .filter(({ key }) => key.startsWith('loam-run-'))
    .map(({ labels }) => labels['containerd.io/snapshot/windows/rootfs.sizebytes']);
  expect(sizes).toEqual([String(scratchBytes), String(scratchBytes)]);
});
