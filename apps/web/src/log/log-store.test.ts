import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { LogStore } from './log-store.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (store: LogStore, line: number) => {
  const { start, end } = store.line(line);
  return new TextDecoder().decode(store.read(start, end));
};

describe('LogStore', () => {
  it('counts an open last line and no line after a final line feed', () => {
    const store = new LogStore();
    expect(store.lineCount).toBe(0);
    store.append(0, bytes('one\ntw'));
    expect(store.lineCount).toBe(2);
    store.append(6, bytes('o\n'));
    expect(store.lineCount).toBe(2);
    expect(text(store, 1)).toBe('two');
  });

  it('drops bytes that it has and refuses bytes past a hole', () => {
    const store = new LogStore();
    store.append(0, bytes('abc'));
    expect(store.append(1, bytes('bc'))).toBe('known');
    expect(store.append(5, bytes('x'))).toBe('gap');
    expect(store.append(1, bytes('bcde\n'))).toBe('appended');
    expect(text(store, 0)).toBe('abcde');
  });

  it('gives the same lines and colours however the bytes are cut and repeated', () => {
    const word = fc.constantFrom('a', 'é', '\n', '\u001b[31m', '\u001b[0m', '\u001b[1;4m', '\r', ' long text ', '\n\n');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), fc.array(fc.nat(300), { maxLength: 20 }), (words, cuts) => {
        const all = bytes(words.join(''));
        const whole = new LogStore();
        whole.append(0, all);
        const pieces = new LogStore();
        for (const cut of [...cuts.sort((a, b) => a - b), all.length]) {
          const from = Math.max(0, pieces.size - (cut % 3));
          pieces.append(from, all.subarray(from, Math.max(from, Math.min(cut, all.length))));
        }
        expect(pieces.size).toBe(all.length);
        expect(pieces.lineCount).toBe(whole.lineCount);
        const lines = words.join('').split('\n');
        for (let line = 0; line < whole.lineCount; line++) {
          expect(text(pieces, line)).toBe(lines[line]);
          expect(pieces.styleAt(line)).toEqual(whole.styleAt(line));
        }
      }),
    );
  });

  it('carries a colour that a line leaves open to the lines below', () => {
    const store = new LogStore();
    store.append(0, bytes('\u001b[31mred\nstill\n\u001b[0mplain\nplain'));
    expect(store.styleAt(0).foreground).toBeNull();
    expect(store.styleAt(1).foreground).toBe(1);
    expect(store.styleAt(2).foreground).toBe(1);
    expect(store.styleAt(3).foreground).toBeNull();
  });

  it('indexes 50 MB fast enough for a page that must not freeze', () => {
    const piece = bytes(
      '\u001b[32m0123456789 abcdefghijklmnopqrstuvwxyz 0123456789\u001b[0m some more text\n'.repeat(14_000),
    );
    const store = new LogStore();
    const before = process.threadCpuUsage();
    while (store.size < 50e6) store.append(store.size, piece);
    expect(store.lineCount).toBeGreaterThan(500_000);
    // Of the processor: others may have it most of the time.
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(16);
    expect(text(store, 400_000)).toContain('0123456789');
  });
});
