import type { Program } from '@loam/backend/memory';
import { expect, it } from 'vitest';

import { memoryLogSpool, type LogSpool } from './index.ts';
import { makeWorld } from './test-world.ts';

const spec = '((from base) (run (shell step)))';
const program: Program = async ({ output }) => {
  output('stdout', 'from the first run\n');
  return { kind: 'exited', code: 0 };
};

it('a step that is found tells its log to who has not heard it, and to nobody else', async () => {
  const world = makeWorld({ program });
  await world.build(spec);
  const again = await world.build(spec);
  expect([again.log('1'), again.end('1')?.logBytes]).toEqual(['', 0]);
  const untold = await world.build(spec, { logOfHit: (id) => world.logs.read(id) });
  expect(untold.ended).toEqual(['0 hit', '1 hit']);
  expect([untold.log('1'), untold.end('1')?.logBytes]).toEqual(['from the first run\n', 19]);
});

it('so does one of a nested build that nothing needed', async () => {
  const world = makeWorld({ program });
  const nested =
    '((build tools ((from base) (run (shell step)))) (from base) (copy (from (build tools)) (src /etc) (dst /x)))';
  await world.build(nested);
  const untold = await world.build(nested, { logOfHit: (id) => world.logs.read(id) });
  expect(untold.ended.every((end) => end.endsWith(' hit'))).toBe(true);
  expect(untold.log('tools/1')).toBe('from the first run\n');
});

it('a step is committed only when its log is safe: a kill between the two must not lose the log for ever', async () => {
  const order: string[] = [];
  const memory = memoryLogSpool();
  const logs: LogSpool = {
    ...memory,
    create(id) {
      const writer = memory.create(id);
      return {
        ...writer,
        end: async () => {
          order.push('log safe');
          await writer.end();
        },
      };
    },
  };
  const world = makeWorld({
    logs,
    program,
    onCall: ({ method }) => void (method === 'commit' && order.push('commit')),
  });
  await world.build(spec);
  // The first one is the base's.
  expect(order).toEqual(['commit', 'log safe', 'commit']);
});

it('a step whose log could not be kept fails, and is executed again by the next build', async () => {
  let isFull = true;
  const memory = memoryLogSpool();
  const logs: LogSpool = {
    ...memory,
    create: (id) => ({
      ...memory.create(id),
      end: () => (isFull ? Promise.reject(new Error('no space left on device')) : Promise.resolve()),
    }),
  };
  const world = makeWorld({ logs, program });
  expect((await world.build(spec)).ended).toEqual(['0 built', '1 failed']);
  isFull = false;
  expect((await world.build(spec)).ended).toEqual(['0 hit', '1 built']);
  expect(world.leftovers()).toEqual([]);
});
