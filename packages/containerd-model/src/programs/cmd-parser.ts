export interface CmdRedirection {
  readonly stream: 1 | 2;
  readonly kind: '>' | '>>' | '<' | '&';
  readonly target: string;
}
export type CmdCommand =
  | {
      readonly kind: 'simple';
      readonly words: readonly string[];
      readonly text: string;
      readonly redirections: readonly CmdRedirection[];
    }
  | { readonly kind: 'group'; readonly script: CmdScript };
export interface CmdItem {
  readonly join: '&' | '&&' | '||';
  readonly command: CmdCommand;
}
export type CmdScript = readonly CmdItem[];

/** The script of a line `cmd /S /C "SCRIPT"`: with /S the first and the last quote go, and nothing else (reference §4.3). */
export function cmdScript(commandLine: string): string | undefined {
  const found = /\s\/[ck]\s*/i.exec(commandLine);
  if (!found) return undefined;
  const rest = commandLine.slice(found.index + found[0].length);
  const last = rest.lastIndexOf('"');
  return rest.startsWith('"') && last > 0 ? rest.slice(1, last) + rest.slice(last + 1) : rest;
}

/** Reads the little of cmd that the model runs: `&`, `&&`, `||`, groups, redirections, quotes and carets. */
export function parseCmd(text: string): CmdScript {
  const reader = { text: text.split(/[\r\n]/)[0] ?? '', at: 0, depth: 0 };
  const script = parseScript(reader);
  if (reader.at < reader.text.length) throw new Error(`${reader.text.slice(reader.at)} was unexpected at this time.`);
  return script;
}

interface Reader {
  readonly text: string;
  at: number;
  /** Groups that are open. Outside of all, parentheses are text, unless one opens a command. */
  depth: number;
}

function parseScript(reader: Reader): CmdScript {
  const items: CmdItem[] = [];
  for (let join: CmdItem['join'] = '&'; ;) {
    skipSpace(reader);
    if (reader.at >= reader.text.length || closes(reader)) return items;
    items.push({ join, command: parseCommand(reader) });
    skipSpace(reader);
    const operator = ['&&', '||', '&'].find((candidate) => reader.text.startsWith(candidate, reader.at));
    if (operator === undefined) return items;
    reader.at += operator.length;
    join = operator as CmdItem['join'];
  }
}

function parseCommand(reader: Reader): CmdCommand {
  if (reader.text[reader.at] === '(') {
    reader.at += 1;
    reader.depth += 1;
    const script = parseScript(reader);
    if (!closes(reader)) throw new Error('The syntax of the command is incorrect.');
    reader.at += 1;
    reader.depth -= 1;
    return { kind: 'group', script };
  }
  const words: string[] = [];
  const redirections: CmdRedirection[] = [];
  let text = '';
  for (let wasRedirection = false; ;) {
    const before = reader.at;
    skipSpace(reader);
    if (text !== '' && !wasRedirection) text += reader.text.slice(before, reader.at);
    wasRedirection = false;
    const rest = reader.text.slice(reader.at);
    if (rest === '' || /^[&|]/.test(rest) || closes(reader)) break;
    const redirection = /^([12]?)(>>|>|<)(&[12])?/.exec(rest);
    if (redirection) {
      reader.at += redirection[0].length;
      const stream = redirection[1] === '2' ? 2 : 1;
      if (redirection[3] !== undefined) redirections.push({ stream, kind: '&', target: redirection[3].slice(1) });
      else {
        skipSpace(reader);
        redirections.push({ stream, kind: redirection[2] as '>', target: unquote(readWord(reader)) });
      }
      wasRedirection = true;
      continue;
    }
    const word = readWord(reader);
    words.push(word);
    text += word;
  }
  return { kind: 'simple', words, text, redirections };
}

function readWord(reader: Reader): string {
  let word = '';
  let quoted = false;
  for (; reader.at < reader.text.length; reader.at += 1) {
    const char = reader.text.charAt(reader.at);
    if (char === '"') quoted = !quoted;
    else if (!quoted && char === '^') {
      reader.at += 1;
      word += reader.text.charAt(reader.at);
      continue;
    } else if (!quoted && (/[ \t&|<>]/.test(char) || closes(reader))) break;
    word += char;
  }
  return word;
}

function closes({ text, at, depth }: Reader): boolean {
  return depth > 0 && text.charAt(at) === ')';
}

function skipSpace(reader: Reader): void {
  while (/[ \t]/.test(reader.text.charAt(reader.at))) reader.at += 1;
}

export function unquote(word: string): string {
  return word.replaceAll('"', '');
}
