import { describe, expect, it } from 'vitest';

import { exitText, opBody } from './steps.ts';

type Step = Parameters<typeof exitText>[0];
const ended = (exit: Step['exit']): Step => ({ exit }) as Step;

describe('how a step ended, in words', () => {
  it('is the meaning of an exit code where a number says too little', () => {
    const meaning = '0xC0000005 (access violation: the program crashed)';
    expect(exitText(ended({ kind: 'exited', code: 0xc0000005, meaning }))).toBe(`exit code ${meaning}`);
    expect(exitText(ended({ kind: 'exited', code: 3 }))).toBe('exit code 3');
  });
});

describe('a step in the list', () => {
  it('is its whole command, with the brackets and quotes that are the command’s own', () => {
    expect(opBody('(run (shell "for i in $(seq 9); do echo $i; done"))')).toBe('for i in $(seq 9); do echo $i; done');
    expect(opBody('(run (network host) (shell  "echo \\"(a) b\\" \\\\033") (cache (x (target /y))))')).toBe(
      'echo "(a) b" \\033',
    );
    expect(opBody('(run (shell "make && \\\n   make test"))')).toBe('make && make test');
  });

  it('is without its own name and brackets where it runs no shell', () => {
    expect(opBody('(run (shell make))')).toBe('make');
    expect(opBody('(copy (src a\n b) (dst /c))')).toBe('(src a b) (dst /c)');
    expect(opBody('(from debian:12)')).toBe('debian:12');
  });
});
