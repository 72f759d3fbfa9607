import { describe, expect, it } from 'vitest';

import { exitText } from './steps.ts';

type Step = Parameters<typeof exitText>[0];
const ended = (exit: Step['exit']): Step => ({ exit }) as Step;

describe('how a step ended, in words', () => {
  it('is the meaning of an exit code where a number says too little', () => {
    const meaning = '0xC0000005 (access violation: the program crashed)';
    expect(exitText(ended({ kind: 'exited', code: 0xc0000005, meaning }))).toBe(`exit code ${meaning}`);
    expect(exitText(ended({ kind: 'exited', code: 3 }))).toBe('exit code 3');
  });
});
