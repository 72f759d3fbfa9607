import type { DockerfileOptions } from './docker-options.ts';

/** The RUN instruction for a command: plain if Docker hands it to the shell unchanged, otherwise in a safe form. */
export function dockerRun(
  command: string,
  flags: readonly string[],
  shell: readonly string[],
  options: DockerfileOptions,
): string[] {
  const escape = escapeOf(options);
  const trimmed = withoutBlanksAround(command, escape);
  const prefix = ['RUN', ...flags].join(' ');
  if (!needsSafeForm(trimmed, options)) return [`${prefix} ${trimmed}`];
  // A here-document puts a line end after the command, and an escape character before that would take it away.
  if (!options.buildkit || /[\\`]$/.test(trimmed)) return [`${prefix} ${JSON.stringify([...shell, trimmed])}`];
  const lines = trimmed.split('\n');
  // BuildKit would run a text that begins with #! by itself instead of handing it to the shell.
  if (trimmed.startsWith('#!')) lines.unshift('');
  const mark = freeMark(lines);
  return [`${prefix} <<'${mark}'`, ...lines, mark];
}

/** Blanks around a command mean nothing to any shell, and Docker drops them; but one that is escaped means itself. */
function withoutBlanksAround(command: string, escape: string): string {
  const blanks = ' \t\n\r\f';
  let start = 0;
  let end = command.length;
  while (start < end && blanks.includes(command.charAt(start))) start++;
  while (end > start && blanks.includes(command.charAt(end - 1))) end--;
  if (end > start && command.charAt(end - 1) === escape && command.charAt(end) !== '\r') end++;
  return command.slice(start, end);
}

/** Several lines, or one that Docker reads as something else than a command for the shell. */
function needsSafeForm(command: string, options: DockerfileOptions): boolean {
  return (
    command.includes('\n') ||
    goesOn(command, escapeOf(options)) ||
    command.startsWith('--') ||
    hasHereDocument(command) ||
    isJsonArray(command)
  );
}

/** Whether Docker would take the next line for a part of this one. */
export function goesOn(line: string, escape: string): boolean {
  let end = line.length;
  while (end > 0 && ' \t\r'.includes(line.charAt(end - 1))) end--;
  return end > 0 && line.charAt(end - 1) === escape;
}

/** The escape character of the Dockerfile. */
export function escapeOf({ platform }: DockerfileOptions): string {
  return platform === 'windows' ? '`' : '\\';
}

/**
 * Docker looks for here-documents at the beginning of words, whatever the shell makes of them; quotes hold words together.
 * Since BuildKit 0.22 blanks may follow `<<`: a shift such as `$((1 << 2))` is one for it.
 */
function hasHereDocument(command: string): boolean {
  if (!command.includes('<<')) return false;
  const hereDocument = /\d*<<-?\s*[^<\s]/y;
  let quote = '';
  let wordBegins = true;
  for (let at = 0; at < command.length; at++) {
    const character = command.charAt(at);
    if (character === '\\' && quote !== "'") at++;
    else if (character === quote) quote = '';
    else if (quote === '') {
      hereDocument.lastIndex = at;
      if (wordBegins && hereDocument.test(command)) return true;
      if (character === '"' || character === "'") quote = character;
      wordBegins = /\s/.test(character);
      continue;
    }
    wordBegins = false;
  }
  return false;
}

/** Whether Docker would take the rest of an instruction for its JSON form. */
export function isJsonArray(text: string): boolean {
  if (!text.trimStart().startsWith('[')) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A terminator that no line of the text is. */
function freeMark(lines: readonly string[]): string {
  const taken = new Set(lines.map((line) => line.replace(/\r+$/, '')));
  let mark = 'EOF';
  for (let i = 2; taken.has(mark); i++) mark = `EOF${i}`;
  return mark;
}
