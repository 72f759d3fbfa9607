import fc from 'fast-check';
import { expect, it } from 'vitest';

import { windowsCommandLine } from './command-line.ts';

it.each([
  [['a', 'b'], 'a b'],
  [['C:\\Program Files\\x.exe', ''], '"C:\\Program Files\\x.exe" ""'],
  [['a', 'C:\\with blank\\'], 'a "C:\\with blank\\\\"'],
  [['a', 'C:\\none\\'], 'a C:\\none\\'],
  [['a', 'say "hi"'], 'a "say \\"hi\\""'],
  [['a', 'back\\"slash'], 'a "back\\\\\\"slash"'],
])('%j becomes %s', (command, line) => {
  expect(windowsCommandLine(command)).toBe(line);
});

it('what the C runtime reads back are the same arguments', () => {
  const argument = fc.string({ unit: fc.constantFrom('a', ' ', '"', '\\', '\t', 'é') });
  fc.assert(
    fc.property(fc.array(argument, { maxLength: 5 }), (rest) => {
      const command = ['program', ...rest];
      expect(parsed(windowsCommandLine(command))).toEqual(command);
    }),
  );
});

/** Microsoft, "Parsing C command-line arguments": 2n backslashes and a quote are n and a quote that begins or ends; 2n+1, n and the quote itself. */
function parsed(line: string): string[] {
  const found: string[] = [];
  let current: string | undefined;
  let isQuoted = false;
  for (let at = 0; at < line.length;) {
    const backslashes = /^\\*/.exec(line.slice(at))?.[0].length ?? 0;
    if (line[at + backslashes] === '"') {
      current = (current ?? '') + '\\'.repeat(Math.floor(backslashes / 2));
      if (backslashes % 2 === 1) current += '"';
      else isQuoted = !isQuoted;
      at += backslashes + 1;
    } else if (backslashes > 0) {
      current = (current ?? '') + '\\'.repeat(backslashes);
      at += backslashes;
    } else {
      const character = line[at] ?? '';
      if (!isQuoted && /[ \t]/.test(character)) {
        if (current !== undefined) found.push(current);
        current = undefined;
      } else current = (current ?? '') + character;
      at++;
    }
  }
  if (current !== undefined) found.push(current);
  return found;
}
