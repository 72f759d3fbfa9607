import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { joinArguments, splitCommandLine } from './command-line.ts';

/**
 * Microsoft, "CommandLineToArgvW function", on everything behind the program: 2n backslashes before a quote are n and the
 * quote begins or ends a quoted part; 2n+1 are n and a quote; other backslashes are themselves. Written apart from the model.
 */
function argumentsByTheBook(line: string): string[] {
  const found: string[] = [];
  let word: string | undefined;
  let isQuoted = false;
  const token = /(?<slashes>\\+(?="))?(?<quote>")|(?<blank>[ \t])|(?<other>[^])/g;
  for (const { groups = {} } of line.matchAll(token)) {
    const { slashes = '', quote, blank, other = '' } = groups;
    if (quote !== undefined) {
      word = (word ?? '') + '\\'.repeat(Math.floor(slashes.length / 2));
      if (slashes.length % 2 === 1) word += '"';
      else isQuoted = !isQuoted;
    } else if (blank !== undefined && !isQuoted) {
      if (word !== undefined) found.push(word);
      word = undefined;
    } else word = (word ?? '') + (blank ?? other);
  }
  if (word !== undefined) found.push(word);
  return found;
}

const argument = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'a \\"\t'.split('')) }));

describe('arguments joined to a command line', () => {
  it('are the same again when a program reads them by the documented rules', () => {
    fc.assert(
      fc.property(fc.array(argument), (args) => {
        expect(argumentsByTheBook(joinArguments(args))).toEqual(args);
      }),
      { numRuns: 2000 },
    );
  });

  it('and when the model does', () => {
    fc.assert(
      fc.property(fc.array(argument), (args) => {
        expect(splitCommandLine(joinArguments(args))).toEqual(args);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['a b', ['a', 'b']],
    [String.raw`"a b" c\d "e\\"`, ['a b', String.raw`c\d`, 'e\\']],
    [String.raw`a\\\"b c`, [String.raw`a\"b`, 'c']],
    ['""', ['']],
  ])('by hand: %s', (line, args) => {
    expect(argumentsByTheBook(line)).toEqual(args);
    expect(splitCommandLine(line)).toEqual(args);
  });
});
