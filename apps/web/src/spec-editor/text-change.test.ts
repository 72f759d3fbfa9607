import { Text } from '@codemirror/state';
import { describe, expect, test } from 'vitest';

import { asEdited, changeBetween } from './text-change.ts';

function applied(before: string, after: string): string {
  const { from, to, insert } = changeBetween(before, after);
  return before.slice(0, from) + insert + before.slice(to);
}

describe('a change of the editor', () => {
  test.for([
    ['', 'a'],
    ['a', ''],
    ['aa', 'aaa'],
    ['aaa', 'aa'],
    ['abcabc', 'abc'],
    ['(a)\n', '(a\n b)\n'],
  ] as const)('makes of %j %j', ([before, after]) => {
    expect(applied(before, after)).toBe(after);
  });

  test('is no more than what differs', () => {
    expect(changeBetween('((from a)(env b c))', '((from a)\n (env b c))')).toEqual({ from: 9, to: 9, insert: '\n ' });
  });
});

test('a text as edited is the one that CodeMirror makes of it', () => {
  for (const text of ['a\r\nb\r\n', 'a\rb', '\r\r\n\n', 'a\nb', '\r']) {
    expect(asEdited(text)).toBe(Text.of(text.split(/\r\n?|\n/)).toString());
  }
});
