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
import type { CopyOp, Mount, Op, Spec, User } from './index.ts';

/** Any byte string, as text; half of them with what a printer may trip over. */
const value = fc.oneof(
  fc.uint8Array({ maxLength: 12 }).map(decodeBytes),
  fc
    .array(
      fc.constantFrom('a', ' ', '\n', '\\', '"', '(', ';', '#', '|', '\r', '\t', 'é', '🚀', '\udcc3', '\udca9', '\0'),
    )
    .map((parts) => decodeBytes(encodeText(parts.join('')))),
  fc.constantFrom('a', 'busybox', '/usr/local', 'C:\\temp\\new'),
);
const values = fc.array(value, { maxLength: 4 });
const mounts = fc.array(
  fc.record({ id: value, target: value, buildkitOptions: fc.array(fc.tuple(value, value), { maxLength: 2 }) }),
  { maxLength: 2 },
) as fc.Arbitrary<Mount[]>;
const id = fc.bigInt({ min: -(1n << 62n), max: (1n << 62n) - 1n }).map(String);
const user: fc.Arbitrary<User> = fc.oneof(
  fc.record({ kind: fc.constant('unix' as const), uid: id, gid: id }),
  fc.record({ kind: fc.constant('windows' as const), name: value }),
);

function ops(names: string[]): fc.Arbitrary<Op[]> {
  const sources = fc.constantFrom<CopyOp['from']>({ kind: 'context' }, ...names.map((name) => build(name)));
  return fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('comment' as const), text: value }),
      fc.record({ kind: fc.constant('workdir' as const), path: value }),
      fc.record({ kind: fc.constant('shell' as const), args: values }),
      fc.record({ kind: fc.constant('run' as const), cache: mounts, network: values, secrets: mounts, shell: value }),
      fc.record({ kind: fc.constant('copy' as const), from: sources, src: values, dst: value, exclude: values }),
      fc.record({ kind: fc.constant('user' as const), user }),
      fc.record({ kind: fc.constant('env' as const), name: value, value }),
    ),
    { maxLength: 5 },
  );
}

function build(name: string): CopyOp['from'] {
  return { kind: 'build', name };
}

function spec(depth: number): fc.Arbitrary<Spec> {
  const names = depth === 0 ? fc.constant<string[]>([]) : fc.array(value, { maxLength: 2 });
  return names.chain((builds) =>
    fc.record({
      builds: fc.tuple(...builds.map((name) => fc.record({ name: fc.constant(name), spec: spec(depth - 1) }))),
      from: value,
      ops: ops(builds),
    }),
  );
}

/** Runs of an expensive property; the fuzz script in bench/ does millions. */
const numRuns = 500;

describe('printing and reading', () => {
  for (const print of [printSpecMachine, printSpec, printSpecFilled]) {
    test(`what ${print.name} writes is read as the same spec`, () => {
      fc.assert(
        fc.property(spec(2), (original) => {
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
      fc.property(spec(1), (original) => {
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
