/** A command line as MSVCRT programs split it: quotes, and backslashes that count only before a quote. */
export function splitCommandLine(line: string): string[] {
  const words: string[] = [];
  for (let at = 0; at < line.length;) {
    if (/[ \t]/.test(line.charAt(at))) {
      at += 1;
      continue;
    }
    let word = '';
    let quoted = false;
    for (; at < line.length && (quoted || !/[ \t]/.test(line.charAt(at)));) {
      const slashes = /^\\*/.exec(line.slice(at))?.[0].length ?? 0;
      at += slashes;
      if (line[at] !== '"') {
        word += slashes > 0 ? '\\'.repeat(slashes) : line.charAt(at++);
        continue;
      }
      word += '\\'.repeat(Math.floor(slashes / 2));
      if (slashes % 2 === 1) word += '"';
      else if (quoted && line[at + 1] === '"') {
        word += '"';
        at += 1;
      } else quoted = !quoted;
      at += 1;
    }
    words.push(word);
  }
  return words;
}

/** Arguments joined by the same rules: what the shim makes of `process.args` (reference §4.3). */
export function joinArguments(args: readonly string[]): string {
  return args.map(escapeArgument).join(' ');
}

function escapeArgument(argument: string): string {
  if (argument !== '' && !/[ \t\n\v"]/.test(argument)) return argument;
  return `"${argument.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}
