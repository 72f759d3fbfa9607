import fc from 'fast-check';
import { expect, test } from 'vitest';

import { LineSplitter } from './line-splitter.ts';

function lines(parts: readonly Uint8Array[], colors = false): string[] {
  const splitter = new LineSplitter({ colors });
  return [...parts.flatMap((part) => splitter.push(part)), ...splitter.end()];
}

test('lines are the same however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'é', '語', '🌱', '\n', '\r\n', '\r', '\u001b[31m', '\u001b[2K', '\t'), {
        maxLength: 60,
      }),
      fc.array(fc.nat(100)),
      (words, cuts) => {
        const bytes = Buffer.from(words.join(''));
        const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length];
        const parts = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
        expect(lines(parts)).toEqual(lines([bytes]));
      },
    ),
  );
});

test('a redrawn line is given as it looks in the end, and CRLF is a line end', () => {
  expect(lines([Buffer.from('10%\r50%\r100%\nnext\r\nlast')])).toEqual(['100%', 'next', 'last']);
});

test('nothing in a log can move the cursor or rename the window; colours stay when there are colours', () => {
  const bytes = Buffer.from('\u001b]0;title\u0007\u001b[2J\u001b[1;31mred\u001b[0m\u0007\u001bc ok\n');
  expect(lines([bytes])).toEqual(['red ok']);
  expect(lines([bytes], true)).toEqual(['\u001b[1;31mred\u001b[0m ok']);
});
