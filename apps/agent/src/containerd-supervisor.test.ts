import { TestClock } from '@loam/base';
import { expect, test } from 'vitest';

import type { ContainerdProcess } from './containerd-process.ts';
import { ContainerdSupervisor } from './containerd-supervisor.ts';

/** A daemon that runs until it is told otherwise. */
class FakeDaemon implements ContainerdProcess {
  readonly address = 'unix:///nowhere';
  readonly runcRoot = '/nowhere';
  readonly pid: number;
  runs = true;

  constructor(pid: number) {
    this.pid = pid;
  }

  isRunning(): boolean {
    return this.runs;
  }

  stop(): Promise<void> {
    this.runs = false;
    return Promise.resolve();
  }
}

function supervise(starts: readonly (FakeDaemon | Error)[]) {
  const first = new FakeDaemon(1);
  const clock = new TestClock();
  const told: unknown[] = [];
  const left = [...starts];
  const supervisor = new ContainerdSupervisor(first, {
    start: () => {
      const next = left.shift();
      return next instanceof FakeDaemon
        ? Promise.resolve(next)
        : Promise.reject(next ?? new Error('started too often'));
    },
    clock,
    onRestart: (outcome) => told.push('pid' in outcome ? outcome.pid : outcome.error),
  });
  return { first, clock, told, supervisor };
}

test('a daemon that was killed is started again without anybody asking', async () => {
  const second = new FakeDaemon(2);
  const { first, clock, told, supervisor } = supervise([second]);
  await clock.advance(1000);
  await supervisor.ready();
  expect(told).toEqual([]);
  first.runs = false;
  await clock.advance(1000);
  await supervisor.ready();
  expect(told).toEqual([2]);
  await supervisor.stop();
  expect(second.runs).toBe(false);
});

test('whoever is about to begin something waits until the daemon runs again, and it is started once', async () => {
  const { first, told, supervisor } = supervise([new FakeDaemon(2)]);
  first.runs = false;
  await Promise.all([supervisor.ready(), supervisor.ready()]);
  expect(told).toEqual([2]);
});

test('one that does not start is tried again', async () => {
  const broken = new Error('no space');
  const { first, clock, told, supervisor } = supervise([broken, new FakeDaemon(3)]);
  first.runs = false;
  await supervisor.ready();
  expect(told).toEqual([broken]);
  await clock.advance(5000);
  await supervisor.ready();
  expect(told).toEqual([broken, 3]);
});

test('nothing is started any more after an orderly stop', async () => {
  const { clock, told, supervisor } = supervise([]);
  await supervisor.stop();
  await clock.advance(60_000);
  await supervisor.ready();
  expect(told).toEqual([]);
});
