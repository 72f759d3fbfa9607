import { describe, expect, it } from 'vitest';

import { describeExitCode, lostTask, saysOutOfMemory } from './exit-codes.ts';

describe('exit codes (§11.2 #22)', () => {
  it.each([
    [3221225477, '0xC0000005 (access violation'],
    [3221225781, '0xC0000135 (a DLL was not found'],
    [3221225786, '0xC000013A (ended by Ctrl-C'],
    [3221225794, '0xC0000142 (a DLL failed to start'],
    [3221226505, '0xC0000409 (fail-fast'],
    [3221225725, '0xC00000FD (stack overflow'],
  ])('%d is shown in hex with its meaning', (code, text) => {
    expect(describeExitCode(code)).toContain(text);
  });

  it('an unknown status is shown in hex, a number of the program as it is', () => {
    expect(describeExitCode(0x80131506)).toBe('0x80131506');
    for (const code of [0, 1, 255, 0x7fffffff]) expect(describeExitCode(code)).toBeUndefined();
  });

  it('lack of memory is told apart', () => {
    expect([0xc0000017, 0xc000012d, 0xc0000005, 1].map(saysOutOfMemory)).toEqual([true, true, false, false]);
  });

  it('what the host did is no failure of the step', () => {
    for (const code of [0xffffffff, 0xc0370106, 0x80370106]) {
      expect(lostTask(code)).toMatchObject({ code: 'backend.task-lost', status: 503 });
    }
    for (const code of [0, 1, 255, 0xc0000005]) expect(lostTask(code)).toBeUndefined();
  });
});
