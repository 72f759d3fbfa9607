import { highlight } from '@loam/spec';
import { expect, it } from 'vitest';

import { indentOf, matchParen } from './spec-colours.ts';

it('indents one past the innermost open parenthesis', () => {
  expect(indentOf('')).toBe(0);
  expect(indentOf('((from x)')).toBe(1);
  expect(indentOf('((from x)\n (run')).toBe(2);
  expect(indentOf('((from x)\n (run (shell "(((")))')).toBe(0);
});

it('matches parentheses and takes no notice of those in strings', () => {
  const text = '((from ")(") (run))';
  const match = (head: number) => matchParen(highlight(text), head, (at) => text[at] ?? '');
  expect(match(0)).toEqual([0, 18]);
  expect(match(19)).toEqual([18, 0]);
  expect(match(4)).toBeNull();
  expect(matchParen(highlight('(()'), 0, (at) => '(()'[at] ?? '')).toEqual([0, -1]);
});
