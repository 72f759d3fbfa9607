import fc from 'fast-check';
import { DiagnosticBag } from '../diagnostics.ts';
import { Lexer } from '../lexer.ts';
import type { TokenKind } from '../lexer.ts';
import { LineTable } from '../position.ts';
import { printSpec, printSpecMachine } from '../print.ts';
import { specOf } from './spec-arbitrary.ts';

/** A piece of a text as written, and the blanks before it. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly blanks: string;
}

/** All that a text consists of; the last token is the end with the blanks before it. */
export function tokensOf(text: string): Token[] {
  const lexer = new Lexer(text, new DiagnosticBag(new LineTable(text)));
  const tokens: Token[] = [];
  for (let from = 0; ; from = lexer.end) {
    const kind = lexer.next();
    tokens.push({ kind, text: text.slice(lexer.start, lexer.end), blanks: text.slice(from, lexer.start) });
    if (kind === 'end') return tokens;
  }
}

const blanks = fc
  .array(fc.constantFrom(' ', '  ', '\t', '\n', '\n ', '\r\n', '\n\n', '\n\n\n', '\f'), { maxLength: 3 })
  .map((parts) => parts.join(''));

/** Comments of every kind; what they hold looks like other pieces of the language. */
const comment = fc.oneof(
  fc
    .constantFrom(';', '; a', '; (b', ';; "c', '; |# d #;', ';é🚀', '; trailing blanks \t ')
    .chain((text) => fc.constantFrom('\n', '\n\n', '\r\n', '\n   ').map((end) => text + end)),
  fc.constantFrom('#||#', '#| a |#', '#| b\n   c |#', '#| #| ) |# "|#" |#', '#|\r\n|#'),
  fc.constantFrom(
    '#;x',
    '#;"y\nz"',
    '#; ; why\n (run (shell x) (network host))',
    '#;#| in |#()',
    '#;#;a #|b|# c',
    '#;((from x) ; d\n)',
  ),
);

const between = fc
  .array(fc.tuple(blanks, comment), { maxLength: 2 })
  .chain((comments) => blanks.map((last) => comments.map(([space, text]) => `${space || ' '}${text}`).join('') + last));

/** Line ends for strings: those that mean themselves, and those that a backslash takes away. */
const inString = fc.constantFrom('', '', '', '\n', '\r\n', '\\\n', '\\\n    ', '\\\r\n\t', 'a\\\n  b\\\\\\\n c');

/** What is put before a token, and into it when it is a string. */
const insert = fc.option(fc.record({ between, inString }), { nil: { between: '', inString: '' } });

/** Texts of specs with blanks and comments of every kind in every position, at the file's start and end too. */
export const commentedText: fc.Arbitrary<string> = fc
  .tuple(specOf(2), fc.constantFrom(printSpec, printSpecMachine))
  .chain(([spec, print]) => {
    const tokens = tokensOf(print(spec));
    return fc
      .array(insert, { minLength: tokens.length, maxLength: tokens.length })
      .map((inserts) => tokens.map((token, i) => written(token, tokens[i - 1], inserts[i] as Insert)).join(''));
  });

type Insert = typeof insert extends fc.Arbitrary<infer T> ? T : never;

function written({ kind, text, blanks: own }: Token, previous: Token | undefined, insertion: Insert): string {
  const before = own + insertion.between;
  // A bare word runs on until something ends it, and at the end of a file it wants a line end when it is commented out.
  const end = !/[^\s)]$/.test(before) ? '' : kind === 'atom' ? ' ' : kind === 'end' && /\w$/.test(before) ? '\n' : '';
  // The name of a build is said again where it is copied from, and has to be the same there.
  const isName = previous?.text === 'build';
  return before + end + (kind === 'string' && !isName ? `"${insertion.inString}${text.slice(1)}` : text);
}
