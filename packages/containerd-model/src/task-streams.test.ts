import { sleep } from '@loam/base';
import { describe, expect, it } from 'vitest';

import { started, useBase } from './testing/task-world.ts';
import { createRun, keep, runOn, specOf, wordsOf } from './testing/world.ts';

const withBase = useBase();

describe('§5 standard streams', () => {
  it('schemes other than binary are refused: §10 #7', async () => {
    const world = await withBase();
    const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
    await world.client.containers.create({ id: 'c', runtime: { name: 'io.containerd.runhcs.v1' }, spec: specOf('') });
    for (const [path, scheme] of [
      ['file:///log', 'file'],
      ['C:\\log.txt', 'c'],
    ] as const) {
      const words = await wordsOf(world.client.tasks.create({ containerId: 'c', rootfs, stdout: path, stderr: path }));
      expect(words).toContain(`scheme must be 'binary', got: '${scheme}'`);
    }
  });

  it('§5.1: a broken pipe is dialled again, and what comes then follows', async () => {
    const world = await withBase({
      program: async ({ output, clock, signal }) => {
        for (let line = 1; line <= 20; line += 1) {
          output('stdout', `line ${line}\n`);
          await sleep(clock, 20, signal);
        }
        return 0;
      },
    });
    let text = '';
    const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
    const run = await createRun(world, {
      spec: specOf(''),
      rootfs,
      onStdout: (socket) => {
        const isFirst = text === '';
        socket.on('data', (bytes) => {
          text += bytes.toString();
          if (isFirst) socket.destroy();
        });
      },
    });
    await world.client.tasks.start(run.id);
    await run.exit;
    await run.stdout.text();
    expect(run.stdout.connections.length).toBeGreaterThan(1);
    expect(text).toContain('line 20\n');
    await run.end();
  });

  it('§5.2: a machine that stands still after the exit makes no reader a slow one', async () => {
    const world = await withBase({
      program: async ({ output }) => {
        output('stdout', 'x'.repeat(900_000));
        setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_200));
        await Promise.resolve();
        return 0;
      },
    });
    expect((await runOn(world, 'k', '')).stdout).toHaveLength(900_000);
  });

  it('§5.2: a grandchild that holds the outputs is cut off after a second', async () => {
    let sayMore: () => void = () => undefined;
    const world = await withBase({
      program: async ({ output, holdOutputs }) => {
        holdOutputs();
        sayMore = () => output('stdout', 'late');
        output('stdout', 'early');
        await Promise.resolve();
        return 0;
      },
    });
    const beganMs = performance.now();
    const ran = await runOn(world, 'k', '');
    sayMore();
    expect(ran.stdout).toBe('early');
    expect(performance.now() - beganMs).toBeGreaterThan(900);
  });

  it('§5.2: Get may say stopped while the container is torn down; Wait comes after it, and then a commit is safe (§4.7)', async () => {
    // Long enough for a busy machine to look in between.
    const world = await withBase({ teardownMs: () => 1_500 });
    const run = await started(world, specOf('echo hi'));
    await expect.poll(async () => (await world.client.tasks.get(run.id)).status).toBe('stopped');
    const early = world.client.snapshots('windows').commit({ name: 'n', key: 'k', labels: keep });
    expect(await wordsOf(early)).toContain('used by another process');
    await run.exit;
    await world.client.snapshots('windows').commit({ name: 'n', key: 'k', labels: keep });
    await run.end();
  });
});
