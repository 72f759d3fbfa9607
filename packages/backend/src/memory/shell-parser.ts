/** A word is its pieces, joined; variables are filled in when it is used. */
export type Word = readonly (
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string }
)[];

export interface Redirection {
  /** `>&2` and `2>&1` have no word. */
  readonly kind: '>' | '>>' | '<' | '>&2' | '2>&1';
  readonly word: Word;
}

export type Command =
  | { readonly kind: 'simple'; readonly words: readonly Word[]; readonly redirections: readonly Redirection[] }
  | { readonly kind: 'group'; readonly script: Script };

/** `join` tells when the command runs, by the status of the one before. */
export interface ScriptItem {
  readonly join: 'always' | 'on-success' | 'on-failure';
  readonly command: Command;
  readonly background: boolean;
}
export type Script = readonly ScriptItem[];

type Token = { readonly kind: 'word'; readonly word: Word } | { readonly kind: 'operator'; readonly text: string };

const operators = ['2>&1', '>&2', '>>', '&&', '||', ';', '\n', '&', '(', ')', '>', '<'];

/** Reads the subset of the POSIX shell that the double's sandbox runs; throws at what lies outside it. */
export function parseShell(text: string): Script {
  const tokens = tokenise(text);
  const script = parseScript(tokens);
  if (tokens.length > 0) throw new Error('unexpected ")"');
  return script;
}

function parseScript(tokens: Token[]): Script {
  const items: ScriptItem[] = [];
  let join: ScriptItem['join'] = 'always';
  for (let token = tokens[0]; token && !isOperator(token, ')'); token = tokens[0]) {
    if (isOperator(token, ';') || isOperator(token, '\n')) {
      tokens.shift();
      continue;
    }
    const command = parseCommand(tokens);
    const after = tokens[0];
    const background = after !== undefined && isOperator(after, '&');
    items.push({ join, command, background });
    join = 'always';
    if (after === undefined || isOperator(after, ')')) break;
    tokens.shift();
    if (isOperator(after, '&&')) join = 'on-success';
    if (isOperator(after, '||')) join = 'on-failure';
  }
  return items;
}

function parseCommand(tokens: Token[]): Command {
  if (tokens[0] && isOperator(tokens[0], '(')) {
    tokens.shift();
    const script = parseScript(tokens);
    const close = tokens.shift();
    if (!close || !isOperator(close, ')')) throw new Error('missing ")"');
    return { kind: 'group', script };
  }
  const words: Word[] = [];
  const redirections: Redirection[] = [];
  for (let token = tokens[0]; token; token = tokens[0]) {
    if (token.kind === 'word') words.push(token.word);
    else if (token.text === '>&2' || token.text === '2>&1') redirections.push({ kind: token.text, word: [] });
    else if (token.text === '>' || token.text === '>>' || token.text === '<') {
      tokens.shift();
      const target = tokens[0];
      if (target?.kind !== 'word') throw new Error(`nothing after "${token.text}"`);
      redirections.push({ kind: token.text, word: target.word });
    } else break;
    tokens.shift();
  }
  if (words.length === 0 && redirections.length === 0) throw new Error('command expected');
  return { kind: 'simple', words, redirections };
}

function isOperator(token: Token, text: string): boolean {
  return token.kind === 'operator' && token.text === text;
}

function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] === ' ' || text[at] === '\t') {
      at += 1;
      continue;
    }
    const operator = operators.find((candidate) => text.startsWith(candidate, at));
    if (operator !== undefined) {
      tokens.push({ kind: 'operator', text: operator });
      at += operator.length;
      continue;
    }
    const [word, end] = readWord(text, at);
    tokens.push({ kind: 'word', word });
    at = end;
  }
  return tokens;
}

function readWord(text: string, start: number): [Word, number] {
  const pieces: Word[number][] = [];
  let at = start;
  let quoted = false;
  const addText = (piece: string): void => void pieces.push({ kind: 'text', text: piece });
  for (; at < text.length;) {
    const char = text.charAt(at);
    const variable = /^\$(\?|[A-Za-z_][A-Za-z0-9_]*)/.exec(text.slice(at, at + 80));
    if (char === '"') {
      quoted = !quoted;
      addText('');
      at += 1;
    } else if (char === "'" && !quoted) {
      const end = text.indexOf("'", at + 1);
      if (end < 0) throw new Error('unterminated quote');
      addText(text.slice(at + 1, end));
      at = end + 1;
    } else if (variable) {
      pieces.push({ kind: 'variable', name: variable[1] ?? '' });
      at += variable[0].length;
    } else if (char === '\\' && at + 1 < text.length) {
      addText(text.charAt(at + 1));
      at += 2;
    } else if (!quoted && (/[ \t\n;&|()<>]/.test(char) || char === '')) {
      break;
    } else {
      addText(char);
      at += 1;
    }
  }
  if (quoted) throw new Error('unterminated quote');
  return [pieces, at];
}
