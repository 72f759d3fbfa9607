import { expect, it } from 'vitest';

import { findLine } from './find.ts';
import { LogStore } from './log-store.ts';

function storeOf(text: string): LogStore {
  const store = new LogStore();
  store.append(0, new TextEncoder().encode(text));
  return store;
}

it('goes from match to match and round, in both directions', () => {
  const store = storeOf('Error one\nfine\nerror two\nfine\n');
  expect(findLine(store, 'error', -1)).toBe(0);
  expect(findLine(store, 'error', 0)).toBe(2);
  expect(findLine(store, 'error', 2)).toBe(0);
  expect(findLine(store, 'error', 2, true)).toBe(0);
  expect(findLine(store, 'error', 0, true)).toBe(2);
  expect(findLine(store, 'Error', 0)).toBe(0);
  expect(findLine(store, 'nowhere', 0)).toBe(-1);
  expect(findLine(new LogStore(), 'x', -1)).toBe(-1);
});

it('finds across many windows and does not match over a line end', () => {
  const store = storeOf(`${'some line of text\n'.repeat(200_000)}needle\nend`);
  expect(findLine(store, 'needle', -1)).toBe(200_000);
  expect(findLine(store, 'needle', 200_000, true)).toBe(200_000);
  expect(findLine(store, 'needle\nend', -1)).toBe(-1);
});
