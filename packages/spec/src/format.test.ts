/// <reference types="node" />
import { describe, expect, test } from 'vitest';
import { decodeBytes, encodeText, formatSpec } from './index.ts';
import { maxDepth } from './reader.ts';
import { onProcessor } from './testing/processor-time.ts';

describe('formatting', () => {
  test('keeps comments of every kind at their place, and one empty line between groups', () => {
    const text = `

; The file.


#| Block. |#
((from a)   ; behind
    ; before


  ;; and one more
  #|in front|# (run (shell x))   #|behind|#

  (run ; why
   (network host) ; net
   ; about the cache
   (cache (a (target /x)) ; one
   (b (target /y)))

   (shell x) ; last
   )
  (copy (src a b ; first

   c d) (dst e))
  #;(run (network host) (shell old)) (env
    ; the name
    A B)


  ; at the end

  ) ; closed
; bye

`;
    expect(formatSpec(text)).toBe(`; The file.

#| Block. |#
((from a) ; behind
 ; before

 ;; and one more
 #|in front|# (run (shell x)) #|behind|#

 (run ; why
      (network host) ; net
      ; about the cache
      (cache (a (target /x)) ; one
             (b (target /y)))

      (shell x) ; last
 )
 (copy (src a b ; first

            c d)
       (dst e))
 #;(run (network host)
        (shell old))
 (env
      ; the name
      A B)

 ; at the end
) ; closed
; bye
`);
  });

  test.for([
    [
      'words and strings are left as they are written',
      '((from "x") (env A "h\\233 é \\x41"))',
      '((from "x")\n (env A "h\\233 é \\x41")\n)\n',
    ],
    ['fields stay in their order', '((from x) (user (gid 1) (uid 2)))', '((from x)\n (user (gid 1) (uid 2))\n)\n'],
    [
      'a joined string moves with its first line',
      '((from x)(run (shell\n "a \\\n  b \\\n    c")))',
      '((from x)\n (run (shell "a \\\n              b \\\n                c"))\n)\n',
    ],
    [
      'a string with a line end of its own does not move',
      '((from x) (run (shell "a\n b")))',
      '((from x)\n (run (shell "a\n b"))\n)\n',
    ],
    [
      'a nested build is a spec',
      '((build a ((from x) ; c\n)) (from y))',
      '((build a\n        ((from x) ; c\n        ))\n (from y)\n)\n',
    ],
    [
      'a block comment goes with what follows it on its line',
      '((from x) #|a|# (env a b) #|b|#\n (env c d) #|c|# #|d|# (env e f))',
      '((from x)\n #|a|# (env a b) #|b|#\n (env c d)\n #|c|# #|d|# (env e f)\n)\n',
    ],
    [
      'two marks take two',
      '((from x) #; #; (env a b) (run (shell c)) (env d e))',
      '((from x)\n #;#;(env a b) (run (shell c))\n (env d e)\n)\n',
    ],
    [
      'a comment between a mark and what it takes away',
      '((from x) #; ; why\n\n(env a b))',
      '((from x)\n #; ; why\n (env a b)\n)\n',
    ],
    [
      'only a comment in a list',
      '((from x) (shell ; none\n) (run ( #||# )))',
      '((from x)\n (shell ; none\n )\n (run (#||#))\n)\n',
    ],
    [
      'a comment before the first word',
      '(; one\n (from x) ( ; two\n env a b) (\n ; three\n env c d))',
      '( ; one\n (from x)\n ( ; two\n  env a b)\n (\n  ; three\n  env c d)\n)\n',
    ],
    [
      'line ends of the file stay',
      '; a\r\n((from x)\r\n\r\n(env a "b\n"))',
      '; a\r\n((from x)\r\n\r\n (env a "b\n")\r\n)\r\n',
    ],
    ['a comment at the end without a line end', '((from x));end', '((from x)\n) ;end\n'],
    ['what is no spec yet', '((from x) (wat "y" z))', '((from x)\n (wat "y" z)\n)\n'],
    ['a lone word', ' word ; c', 'word ; c\n'],
    ['a word that must not become a byte order mark', '\n\ufeffword', ' \ufeffword\n'],
  ] as const)('%s', ([, text, wanted]) => {
    expect(formatSpec(text)).toBe(wanted);
    expect(formatSpec(wanted)).toBe(wanted);
  });

  test('breaks lists that are too wide: words fill the lines, lists take one each', () => {
    const words = Array.from({ length: 12 }, (_, i) => `some/source/file-${i}`).join(' ');
    const mounts = [1, 2].map((i) => `(cache-${i} (target /home/builder/.cache/directory-${i}))`).join(' ');
    expect(formatSpec(`((from x) (copy (src ${words}) (dst y)) (run (cache ${mounts}) (shell z)))`)).toBe(`((from x)
 (copy (src some/source/file-0 some/source/file-1 some/source/file-2
            some/source/file-3 some/source/file-4 some/source/file-5
            some/source/file-6 some/source/file-7 some/source/file-8
            some/source/file-9 some/source/file-10 some/source/file-11)
       (dst y))
 (run (cache (cache-1 (target /home/builder/.cache/directory-1))
             (cache-2 (target /home/builder/.cache/directory-2)))
      (shell z))
)
`);
  });

  test('bytes that are no text stay in comments, words and strings', () => {
    const bytes = Uint8Array.from([0x3b, 0xff, 0x0a, ...encodeText('((from \udcc3)\n (env a "b\udc80")\n)\n')]);
    expect(encodeText(formatSpec(decodeBytes(bytes)) as string)).toEqual(bytes);
  });

  test.for(['', '; c', '((from x)', '((from x)))', '((from "\\256"))', '((from x) y) z', '((from a|#))', '\ufeff(a)'])(
    'there is nothing to format in %j',
    (text) => expect(formatSpec(text)).toBeUndefined(),
  );
});

describe('hostile input is formatted in seconds of work', () => {
  const size = 1_000_000;
  const cases: Record<string, string> = {
    'empty lists': '()'.repeat(size / 2),
    'datum comments': '#;a '.repeat(size / 4),
    'datum marks': '#;'.repeat(size / 4) + 'a '.repeat(size / 4),
    'block comments': '#||#'.repeat(size / 4),
    'line comments': ';\n'.repeat(size / 2),
    'blanks in a comment': `;${' '.repeat(size)}x\n`,
    'empty lines': '\n'.repeat(size),
    'words in one list': `(shell ${'a '.repeat(size / 2)})`,
    'joined lines behind a long word': `(env ${'a'.repeat(size / 10)} "${'\\\n'.repeat(size / 4)}")`,
    'strings of two lines': '"\n"'.repeat(size / 4),
    'deep lists': ('(run (x) '.repeat(maxDepth - 2) + ')'.repeat(maxDepth - 2)).repeat(size / 10 / maxDepth),
    'deep builds': '((build a '.repeat(maxDepth / 2 - 1) + '(#||#)' + ')(from y))'.repeat(maxDepth / 2 - 1),
  };
  test.for(Object.keys(cases))('%s', (name) => {
    const { result: once, seconds } = onProcessor(() => formatSpec(`((from x)${cases[name]})`));
    expect(seconds).toBeLessThan(20);
    expect(once).toBeDefined();
    expect(formatSpec(once as string)).toBe(once);
  });

  test('lists nested too deep are refused', () => {
    expect(formatSpec('('.repeat(1_000_000) + ')'.repeat(1_000_000))).toBeUndefined();
  });
});
