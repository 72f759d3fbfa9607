import { describe, expect, test } from 'vitest';
import { checkSpec, formatDiagnostic, highlight } from './index.ts';
import { onProcessor } from './testing/processor-time.ts';

const pinned = `busybox@sha256:${'0'.repeat(64)}`;

function warnings(ops: string, secrets?: string[]): string[] {
  const text = `((from ${pinned})\n ${ops})`;
  const { diagnostics } = checkSpec(text, secrets === undefined ? {} : { secrets });
  return diagnostics.map(({ code, range }) => `${code} ${text.slice(range.start.offset, range.end.offset)}`);
}

describe('warnings', () => {
  test('a base without a digest', () => {
    const codes = (base: string) => checkSpec(`((from ${base}))`).diagnostics.map(({ code }) => code);
    expect(codes('busybox')).toEqual(['lint.unpinned-base']);
    expect(codes('mcr.microsoft.com:443/windows:ltsc2022')).toEqual(['lint.unpinned-base']);
    expect(codes(pinned)).toEqual([]);
  });

  test('vectors (7): backslashes of a Windows path that read as escapes', () => {
    expect(warnings('(run (shell "cd C:\\temp\\new"))')).toEqual(['lint.path-escape C:\\t']);
    expect(warnings('(run (shell "mkdir C:\\obuilder\\bin"))')).toEqual(['lint.path-escape C:\\obuilder\\b']);
    expect(warnings('(run (shell "C:\\\\temp\\new"))')).toEqual(['lint.path-escape C:\\\\temp\\n']);
    expect(
      warnings('(run (shell "C:\\\\temp\\\\new C:/temp")) (workdir C:\\temp) (run (shell "a:\\\\ b\\n"))'),
    ).toEqual([]);
  });

  test('a copy of everything before a slow step', () => {
    const slow = '(run (shell "npm install"))';
    expect(warnings(`(copy (src .) (dst /src/)) ${slow}`)).toEqual(['lint.copy-all (copy (src .) (dst /src/))']);
    expect(warnings(`(copy (src .) (dst /src/) (exclude .git)) ${slow}`)).toEqual([]);
    expect(warnings(`${slow} (copy (src .) (dst /src/))`)).toEqual([]);
  });

  test('a nested build that nothing is copied from', () => {
    const nested = `((build a ((from ${pinned}))) (build b ((from ${pinned}) (copy (from (build a)) (src x) (dst x)))) (from ${pinned}))`;
    const { diagnostics } = checkSpec(nested);
    expect(diagnostics.map(({ code, message }) => [code, message.includes('`b`')])).toEqual([
      ['lint.unused-build', true],
    ]);
  });

  test('a nested build hidden by another', () => {
    const text = `((build a ((from ${pinned}))) (build a ((from ${pinned}))) (from ${pinned}) (copy (from (build a)) (src x) (dst x)))`;
    expect(checkSpec(text).diagnostics.map(({ code }) => code)).toEqual(['lint.shadowed-build']);
  });

  test('a secret that will not be there, when the caller knows', () => {
    const run = '(run (secrets (tokn (target /t))) (shell x))';
    expect(warnings(run, ['token'])).toEqual(['lint.unknown-secret (tokn (target /t))']);
    expect(warnings(run, ['tokn'])).toEqual([]);
    expect(warnings(run)).toEqual([]);
  });

  test('no string takes long', () => {
    const text = `((from x) (comment "${'C:/\\\\a'.repeat(200_000)}") (comment "${'C:'.repeat(500_000)}"))`;
    expect(onProcessor(() => checkSpec(text)).seconds).toBeLessThan(10);
  });
});

test('a Dockerfile is told from a misspelt spec', () => {
  const hints = (text: string) => checkSpec(text).diagnostics.map(({ code, hint }) => `${code} ${hint}`);
  expect(hints('FROM debian:12\nRUN make\n')).toContainEqual(
    expect.stringMatching(/not-a-list This looks like a Dockerfile/),
  );
  expect(hints('debian:12')).toEqual(['spec.not-a-list undefined']);
});

test('vectors (7): a diagnostic is shown with its line and a marker', () => {
  const text = '((from x)\n (rum (shell y)))';
  const [diagnostic] = checkSpec(text).diagnostics;
  expect(diagnostic && formatDiagnostic(diagnostic, text, 'a.spec')).toBe(
    [
      'a.spec:2:3: error: There is no operation `rum`. [spec.unknown-op]',
      '   (rum (shell y)))',
      '    ^^^',
      '  hint: Did you mean `run`?',
    ].join('\n'),
  );
});

test('an editor can colour operations, fields, names, numbers, strings and comments', () => {
  const text =
    '((from x) (user (uid 10) (gid 10)) (run (cache (c (target "/c"))) (shell ls)) #;(run (shell y)) ; end\n)';
  const shown = highlight(text)
    .filter(({ kind }) => kind !== 'paren')
    .map(({ kind, start, end }) => `${kind}:${text.slice(start, end)}`);
  expect(shown.slice(0, 15)).toEqual([
    'op:from',
    'word:x',
    'op:user',
    'field:uid',
    'number:10',
    'field:gid',
    'number:10',
    'op:run',
    'field:cache',
    'name:c',
    'field:target',
    'string:"/c"',
    'field:shell',
    'word:ls',
    'comment:#;',
  ]);
  expect(shown.slice(15).every((piece) => piece.startsWith('comment:'))).toBe(true);
});
