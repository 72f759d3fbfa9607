import { describe, expect, it } from 'vitest';

import { parseLine, plainStyle, styleAfter } from './ansi.ts';

const texts = (line: string) => parseLine(line).map((span) => span.text);
const shown = (line: string) => texts(line).join('');

describe('parseLine', () => {
  it('leaves plain text alone, in one span', () => {
    expect(parseLine('hello')).toEqual([{ text: 'hello', style: plainStyle }]);
    expect(parseLine('')).toEqual([]);
  });

  it('reads the 16 colours, bold and reset', () => {
    const spans = parseLine('a\u001b[1;31mb\u001b[0mc\u001b[92md\u001b[39me');
    expect(spans.map((span) => [span.text, span.style.foreground, span.style.bold])).toEqual([
      ['a', null, false],
      ['b', 1, true],
      ['c', null, false],
      ['d', 10, false],
      ['e', null, false],
    ]);
  });

  it('reads 256 colours and true colour, with semicolons or colons', () => {
    const [a, b, c] = parseLine('\u001b[38;5;208ma\u001b[48;2;1;2;255mb\u001b[38:5:17mc');
    expect(a?.style.foreground).toBe(208);
    expect(b?.style.background).toBe('#0102ff');
    expect(c?.style.foreground).toBe(17);
  });

  it('overwrites on carriage return and keeps what is longer', () => {
    expect(shown('10%\r50%\r100%')).toBe('100%');
    expect(shown('long text\rLONG')).toBe('LONG text');
    expect(shown('50%\u001b[K\r100%\u001b[K')).toBe('100%');
    expect(shown('windows\r')).toBe('windows');
    expect(shown('abc\b\bX')).toBe('aXc');
  });

  it('erases to the end of the line where it is told to', () => {
    expect(shown('a long one\rok\u001b[K')).toBe('ok');
  });

  it('drops cursor movement, titles and stray control characters', () => {
    expect(shown('\u001b]0;title\u0007x\u001b[2Jy\u001b[?25lz\u0000\u0001')).toBe('xyz');
    expect(shown('tab\tstays')).toBe('tab\tstays');
  });

  it('never throws and never shows an escape, whatever comes', () => {
    for (const line of ['\u001b', '\u001b[', '\u001b[38;5', '\u001b[38;2;1m', '\u001b[999m', '\u001b]0;open']) {
      expect(shown(`${line}\r`)).not.toContain('\u001b');
    }
  });
});

describe('styleAfter', () => {
  it('carries an open colour and returns the same object when nothing changed', () => {
    const red = styleAfter(new TextEncoder().encode('x\u001b[31my'), plainStyle);
    expect(red.foreground).toBe(1);
    expect(styleAfter(new TextEncoder().encode('plain'), red)).toBe(red);
    expect(styleAfter(new TextEncoder().encode('\u001b[m'), red)).toBe(plainStyle);
  });
});
