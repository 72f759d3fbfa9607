/** A colour: 0–255 of the terminal's palette, or `#rrggbb`. */
export type TextColour = number | string;

export interface TextStyle {
  readonly foreground: TextColour | null;
  readonly background: TextColour | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly inverse: boolean;
  readonly strike: boolean;
}

export interface Span {
  readonly text: string;
  readonly style: TextStyle;
}

export const plainStyle: TextStyle = {
  foreground: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
  strike: false,
};

// CSI … final byte; OSC … BEL or ST; charset choice; any other two-character escape.
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const escapes = /\u001b(?:\[([0-9;:?<=>]*)[ -/]*([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[()][A-Za-z0-9]|[ -~])/g;
// oxlint-disable-next-line no-control-regex -- as above
const controls = /[\u0000-\u0007\u000b-\u001f\u007f]/g;

/**
 * One line of terminal output as styled text: SGR colours (16, 256 and true colour), carriage returns and backspaces
 * overwrite, "erase in line" erases, everything else that steers a terminal is dropped.
 */
export function parseLine(line: string, start: TextStyle = plainStyle): Span[] {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  if (!/[\r\b]/.test(text)) return straight(text, start);
  return overwritten(text, start);
}

function straight(text: string, start: TextStyle): Span[] {
  const spans: Span[] = [];
  let style = start;
  walk(text, {
    text: (part) => {
      if (part !== '') spans.push({ text: part, style });
    },
    sgr: (codes) => (style = applySgr(style, codes)),
    erase: () => undefined,
  });
  return joined(spans);
}

/** A line that moves back over itself, played on a row of cells. */
function overwritten(text: string, start: TextStyle): Span[] {
  const cells: Span[] = [];
  let column = 0;
  let style = start;
  walk(text, {
    text: (part) => {
      for (const character of part) {
        if (character === '\r') column = 0;
        else if (character === '\b') column = Math.max(0, column - 1);
        else {
          while (cells.length < column) cells.push({ text: ' ', style: plainStyle });
          cells[column++] = { text: character, style };
        }
      }
    },
    sgr: (codes) => (style = applySgr(style, codes)),
    erase: (mode) => {
      if (mode === 2) cells.length = 0;
      else if (mode === 1) for (let at = 0; at < column && at < cells.length; at++) cells[at] = { text: ' ', style };
      else cells.length = Math.min(cells.length, column);
    },
  });
  return joined(cells);
}

interface Player {
  text(part: string): void;
  sgr(codes: string): void;
  erase(mode: number): void;
}

function walk(text: string, player: Player): void {
  let from = 0;
  for (const match of text.matchAll(escapes)) {
    player.text(clean(text.slice(from, match.index)));
    from = match.index + match[0].length;
    if (match[2] === 'm') player.sgr(match[1] ?? '');
    else if (match[2] === 'K') player.erase(Number(match[1] || '0'));
  }
  player.text(clean(text.slice(from)));
}

function clean(text: string): string {
  return text.replace(controls, (character) => (character === '\r' ? '\r' : ''));
}

function joined(spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (const span of spans) {
    const last = out.at(-1);
    if (last?.style === span.style) out[out.length - 1] = { text: last.text + span.text, style: last.style };
    else out.push(span);
  }
  return out;
}

/** The style in force after `bytes`; the very object `before` when nothing changed. */
export function styleAfter(bytes: Uint8Array, before: TextStyle): TextStyle {
  let style = before;
  walk(new TextDecoder().decode(bytes), {
    text: () => undefined,
    sgr: (codes) => (style = applySgr(style, codes)),
    erase: () => undefined,
  });
  return sameStyle(style, before) ? before : style;
}

function sameStyle(a: TextStyle, b: TextStyle): boolean {
  return (Object.keys(plainStyle) as (keyof TextStyle)[]).every((key) => a[key] === b[key]);
}

/** Select Graphic Rendition, ECMA-48 §8.3.117, with the colour extensions of ITU-T T.416. */
function applySgr(style: TextStyle, parameters: string): TextStyle {
  const codes = parameters.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)));
  const next: { -readonly [K in keyof TextStyle]: TextStyle[K] } = { ...style };
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at]!;
    if (code === 0) Object.assign(next, plainStyle);
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4 || code === 21) next.underline = true;
    else if (code === 7) next.inverse = true;
    else if (code === 9) next.strike = true;
    else if (code === 22) next.bold = next.dim = false;
    else if (code === 23) next.italic = false;
    else if (code === 24) next.underline = false;
    else if (code === 27) next.inverse = false;
    else if (code === 29) next.strike = false;
    else if (code >= 30 && code <= 37) next.foreground = code - 30;
    else if (code === 39) next.foreground = null;
    else if (code >= 40 && code <= 47) next.background = code - 40;
    else if (code === 49) next.background = null;
    else if (code >= 90 && code <= 97) next.foreground = code - 82;
    else if (code >= 100 && code <= 107) next.background = code - 92;
    else if (code === 38 || code === 48) {
      const [colour, used] = extendedColour(codes, at + 1);
      at += used;
      if (colour !== null) next[code === 38 ? 'foreground' : 'background'] = colour;
    }
  }
  return sameStyle(next, plainStyle) ? plainStyle : next;
}

function extendedColour(codes: readonly number[], at: number): [TextColour | null, number] {
  if (codes[at] === 5) {
    const index = codes[at + 1] ?? -1;
    return [index >= 0 && index <= 255 ? index : null, 2];
  }
  if (codes[at] === 2) {
    const parts = codes.slice(at + 1, at + 4);
    const valid = parts.length === 3 && parts.every((part) => part >= 0 && part <= 255);
    return [valid ? `#${parts.map((part) => part.toString(16).padStart(2, '0')).join('')}` : null, 4];
  }
  return [null, 0];
}
