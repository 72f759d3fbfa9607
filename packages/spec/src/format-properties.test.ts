/// <reference types="node" />
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatSpec, parseSpec, printSpec, printSpecMachine, withoutRanges } from './index.ts';
import { commentedText, tokensOf } from './testing/commented-text.ts';
import type { Token } from './testing/commented-text.ts';
import { specOf } from './testing/spec-arbitrary.ts';

/** Texts are long: a few hundred comments each. The fuzz script in bench/ formats millions. */
const numRuns = 150;

function formatted(text: string): string {
  const result = formatSpec(text);
  expect(result, text).toBeDefined();
  return result as string;
}

/** What of a token must stay: all but blanks that mean nothing, which are those after a joined line and at the end of a comment. */
function essence({ kind, text }: Token): string {
  if (kind === 'string')
    return text.replaceAll(/\\(?:(\r?\n)[ \t]*|[^])/g, (all, end?: string) => (end ? `\\${end}` : all));
  return text.startsWith(';') ? text.replace(/[ \t\f]+$/, '') : text;
}

const isLineComment = (token: Token | undefined): boolean => token?.text.startsWith(';') === true;
const lineEnds = (token: Token | undefined): number => (token?.blanks.split('\n').length ?? 1) - 1;

/** The tokens between a `#;` and the end of the word, or the beginning of the list, that it takes away. */
function afterMark(tokens: readonly Token[]): Set<number> {
  const found = new Set<number>();
  let wanted = 0;
  tokens.forEach(({ kind }, i) => {
    if (wanted > 0) found.add(i);
    if (kind === 'datum') wanted++;
    else if (kind === 'atom' || kind === 'string') wanted = Math.max(0, wanted - 1);
    else if (kind !== 'comment') wanted = 0;
  });
  return found;
}

describe('formatting a spec with comments and blanks anywhere', () => {
  test('keeps every word, string and comment, in their order', () => {
    fc.assert(
      fc.property(commentedText, (text) => {
        expect(tokensOf(formatted(text)).map(essence)).toEqual(tokensOf(text).map(essence));
      }),
      { numRuns },
    );
  });

  test('changes nothing that the spec means', () => {
    fc.assert(
      fc.property(commentedText, (text) => {
        const [before, after] = [parseSpec(text), parseSpec(formatted(text))];
        expect([before.diagnostics, after.diagnostics]).toEqual([[], []]);
        expect(before.spec && withoutRanges(before.spec)).toEqual(after.spec && withoutRanges(after.spec));
      }),
      { numRuns },
    );
  });

  test('a second time changes nothing', () => {
    fc.assert(
      fc.property(commentedText, (text) => {
        const once = formatted(text);
        expect(formatSpec(once)).toBe(once);
      }),
      { numRuns },
    );
  });

  test('leaves a comment on its own line there, and one behind something behind it', () => {
    fc.assert(
      fc.property(commentedText, (text) => {
        const before = tokensOf(text);
        const marked = afterMark(before);
        const moved = tokensOf(formatted(text)).filter((token, i) => {
          if (i === 0 || marked.has(i) || !isLineComment(token)) return false;
          const wasAlone = lineEnds(before[i]) > 0 || isLineComment(before[i - 1]);
          return lineEnds(token) > 0 !== wasAlone;
        });
        expect(moved).toEqual([]);
      }),
      { numRuns },
    );
  });

  test('keeps an empty line where there was one, and makes none', () => {
    fc.assert(
      fc.property(commentedText, (text) => {
        const before = tokensOf(text);
        const after = tokensOf(formatted(text));
        const made = after.filter((token, i) => lineEnds(token) > Math.min(2, Math.max(1, lineEnds(before[i]))));
        expect(made).toEqual([]);
        const marked = afterMark(before);
        const lost = after.filter((token, i) => {
          if (lineEnds(before[i]) < 2 || lineEnds(token) === 2) return false;
          // The beginning and the end of a list or a file, and what follows the first word of a list, are no groups.
          const isEdge = i === 0 || token.kind === 'close' || token.kind === 'end' || after[i - 1]?.kind === 'open';
          return !isEdge && after[i - 1]?.kind === 'close' && !marked.has(i);
        });
        expect(lost).toEqual([]);
      }),
      { numRuns },
    );
  });

  test('leaves no blank at the end of a line, and one line end at the end of the file', () => {
    fc.assert(
      fc.property(commentedText, (text) => {
        const tokens = tokensOf(formatted(text));
        expect(tokens.filter(({ blanks }) => !/^(?: |(?:\r?\n){0,2} *)$/.test(blanks))).toEqual([]);
        expect(tokens.at(-1)?.blanks).toMatch(/^\r?\n$/);
        expect(new Set(tokens.flatMap(({ blanks }) => blanks.match(/\r?\n/g) ?? [])).size).toBe(1);
      }),
      { numRuns },
    );
  });
});

/** OBuilder never breaks some lines that the formatter does, and breaks strings that it does not. */
const isComparable = (printed: string): boolean => !printed.includes('\\\n') && !/^.{79}/m.test(printed);

describe('without comments the layout is that of the printer', () => {
  test('for generated specs', () => {
    fc.assert(
      fc.property(specOf(2), (spec) => {
        const printed = printSpec(spec);
        fc.pre(isComparable(printed));
        expect(formatted(printSpecMachine(spec))).toBe(`${printed}\n`);
        expect(formatted(printed)).toBe(`${printed}\n`);
      }),
      { numRuns },
    );
  });

  test('for what OBuilder printed', () => {
    const file = readFileSync(new URL('../testdata/recorded.json', import.meta.url), 'utf8');
    const { cases } = JSON.parse(file) as { cases: { printed?: string; printed_mach?: string }[] };
    const comparable = cases.filter(({ printed }) => printed !== undefined && isComparable(printed));
    expect(comparable.length).toBeGreaterThan(100);
    for (const { printed, printed_mach } of comparable) expect(formatted(printed_mach ?? '')).toBe(`${printed}\n`);
  });
});
