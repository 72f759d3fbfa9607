import { describe, expect, test } from 'vitest';
import { highlight, parseSpec } from './index.ts';
import { maxDepth } from './reader.ts';
import { onProcessor } from './testing/processor-time.ts';

function errors(text: string): string[] {
  return parseSpec(text).diagnostics.map(({ code, range }) => `${range.start.line}:${range.start.column} ${code}`);
}

function comment(written: string): string | undefined {
  const op = parseSpec(`((from x) (comment ${written}))`).spec?.ops[0];
  return op?.kind === 'comment' ? op.text : undefined;
}

describe('words and strings', () => {
  test.for([
    ['plain', 'plain'],
    ['C:\\temp\\new', 'C:\\temp\\new'],
    ['a#b|c', 'a#b|c'],
    ['"a\\nb\\tc\\r\\b\\\\\\"\\\'"', 'a\nb\tc\r\b\\"\''],
    ['"\\065\\x42"', 'AB'],
    ['"\\q\\ \\X"', '\\q\\ \\X'],
    ['"joined \\\n     here"', 'joined here'],
    ['"joined \\\r\n\t here"', 'joined here'],
    ['"lone \\\rcr"', 'lone \rcr'],
    ['"raw\r\nlines"', 'raw\r\nlines'],
    ['"\\195\\169"', 'é'],
    ['"\xe9\\000"', 'é\0'],
  ] as const)('%j means %j', ([written, value]) => {
    expect(comment(written)).toBe(value);
  });

  test('bytes that are no UTF-8 are kept', () => {
    expect(comment('"\\195"')).toBe('\udcc3');
    expect(comment('"a\\255\\195\\169"')).toBe('a\udcffé');
  });
});

describe('what is wrong is said where it is', () => {
  test.for([
    ['', ['1:1 read.nothing']],
    ['; nothing\n', ['1:1 read.nothing']],
    ['((from x)\n (run (shell "a)))', ['2:14 read.unclosed-string']],
    ['((from x)', ['1:1 read.unclosed-list']],
    ['((from x)\n (run (shell a)\n (run (shell b)))', ['2:2 read.unclosed-list']],
    ['((from x)))', ['1:11 read.unexpected-close']],
    ['((from x)) y', ['1:12 read.too-many-expressions']],
    ['((from x) #| (a', ['1:11 read.unclosed-comment']],
    ['((from x) (workdir a#|b))', ['1:21 read.comment-in-atom']],
    ['((from x) #;)', ['1:13 read.empty-datum-comment']],
    ['((from x)\r(workdir y))', ['1:10 read.stray-carriage-return']],
    ['\ufeff((from x))', ['1:1 read.byte-order-mark']],
    ['((from "\\256")\n (run (shell "\\x4")))', ['1:9 read.bad-escape', '2:15 read.bad-escape']],
    [
      '((from x) (wrkdir a)\n (run (shel b))\n (env a))',
      ['1:12 spec.unknown-op', '2:8 spec.unknown-field', '3:2 spec.wrong-arguments'],
    ],
  ] as const)('%j', ([text, wanted]) => {
    expect(errors(text).toSorted()).toEqual([...wanted].toSorted());
  });

  test('positions count lines from 1 and columns in UTF-16 units', () => {
    const text = '((from x)\r\n (env "🚀" é x))';
    const [diagnostic] = parseSpec(text).diagnostics;
    expect(diagnostic?.range.start).toEqual({ line: 2, column: 2, offset: 12 });
    expect(text.slice(diagnostic?.range.start.offset, diagnostic?.range.end.offset)).toBe('(env "🚀" é x)');
  });
});

describe('hostile input', () => {
  const size = 10_000_000;
  const cases: Record<string, string> = {
    'opening parentheses': '('.repeat(size),
    'closing parentheses': ')'.repeat(size),
    'closing parentheses after a spec': `((from x))${')'.repeat(size)}`,
    'empty lists': `(${'()'.repeat(size / 2)}`,
    'one list around empty lists': `((from x)${'()'.repeat(size / 2)})`,
    quotes: '"'.repeat(size),
    'quotes in a list': `((from x)${'"'.repeat(size)})`,
    'open comments': '#|'.repeat(size / 2),
    'datum comments': '#;'.repeat(size / 2),
    'datum comments on words': `((from x)${'#;a '.repeat(size / 4)})`,
    'bad escapes': `((from x)"${'\\9'.repeat(size / 2)}")`,
    'escaped bytes': `((from x)(comment "${'\\195\\169'.repeat(size / 8)}"))`,
    backslashes: '\\'.repeat(size),
    'carriage returns': '\r'.repeat(size),
    lines: '\n('.repeat(size / 2),
    words: `((from x)(shell ${'a '.repeat(size / 2)}))`,
  };
  test.for(Object.keys(cases))('ten megabytes of %s are read in seconds', (name) => {
    const text = cases[name] as string;
    const { result, seconds } = onProcessor(() => parseSpec(text));
    expect(seconds).toBeLessThan(20);
    expect(result.diagnostics.length).toBeLessThanOrEqual(100);
  });

  test('five hundred builds may be nested in one another, no more', () => {
    const nested = (depth: number) => `${'((build a '.repeat(depth)}((from x))${')(from y))'.repeat(depth)}`;
    expect(parseSpec(nested(maxDepth / 2 - 1)).diagnostics).toEqual([]);
    expect(parseSpec(nested(maxDepth)).diagnostics.map(({ code }) => code)).toEqual(['read.too-deep']);
  });

  test('an editor survives it too', () => {
    expect(highlight('('.repeat(1_000_000))).toHaveLength(1_000_000);
  });
});
