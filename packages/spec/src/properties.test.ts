import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBytes, encodeText } from './bytes.ts';
import {
  checkSpec,
  highlight,
  parseSpec,
  printSpec,
  printSpecFilled,
  printSpecMachine,
  withoutRanges,
} from './index.ts';
import { specOf } from './testing/spec-arbitrary.ts';

/** Runs of an expensive property; the fuzz script in bench/ does millions. */
const numRuns = 500;

describe('printing and reading', () => {
  for (const print of [printSpecMachine, printSpec, printSpecFilled]) {
    test(`what ${print.name} writes is read as the same spec`, () => {
      fc.assert(
        fc.property(specOf(2), (original) => {
          const result = parseSpec(print(original));
          expect(result.diagnostics).toEqual([]);
          expect(result.spec && withoutRanges(result.spec)).toEqual(original);
        }),
        { numRuns },
      );
    });
  }

  test('what is printed is ASCII', () => {
    fc.assert(
      fc.property(specOf(1), (original) => {
        expect(printSpecMachine(original)).toMatch(/^[ -~]*$/);
        expect(printSpec(original)).toMatch(/^[ -~\n]*$/);
      }),
      { numRuns },
    );
  });
});

test('any bytes survive being text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(encodeText(decodeBytes(bytes))).toEqual(bytes);
    }),
    { numRuns: 5000 },
  );
});

describe('any text', () => {
  const soup = fc
    .array(
      fc.constantFrom('(', ')', '"', '\\', ';', '#|', '|#', '#;', ' ', '\n', '\r', 'from', 'run', 'x', '\\1', '\ud800'),
    )
    .map((parts) => parts.join(''));

  test('is a spec or gets errors, each inside it', () => {
    fc.assert(
      fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), (text) => {
        const { spec: read, diagnostics } = checkSpec(text, { secrets: ['x'] });
        expect(read === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'));
        for (const { range, message } of diagnostics) {
          expect(message).not.toBe('');
          expect(range.start.offset).toBeGreaterThanOrEqual(0);
          expect(range.end.offset).toBeGreaterThanOrEqual(range.start.offset);
          expect(range.end.offset).toBeLessThanOrEqual(text.length);
          const before = text.slice(0, range.start.offset).split('\n');
          expect(range.start.line).toBe(before.length);
          expect(range.start.column).toBe((before.at(-1) ?? '').length + 1);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('is coloured in order, all but its blanks', () => {
    fc.assert(
      fc.property(soup, (text) => {
        let end = 0;
        for (const piece of highlight(text)) {
          expect(text.slice(end, piece.start)).toMatch(/^[ \t\n\r\f]*$/);
          expect(piece.end).toBeGreaterThan(piece.start);
          end = piece.end;
        }
        expect(text.slice(end)).toMatch(/^[ \t\n\r\f]*$/);
      }),
      { numRuns: 2000 },
    );
  });
});
