import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { cssColour, textColour } from './ansi-colour.ts';
import { plainStyle, type TextColour } from './ansi.ts';

describe('cssColour', () => {
  it('takes the first sixteen from the theme and computes the rest', () => {
    expect(cssColour(1)).toBe('var(--ansi-1)');
    expect(cssColour(196)).toBe('rgb(255 0 0)');
    expect(cssColour(232)).toBe('rgb(8 8 8)');
    expect(cssColour('#123456')).toBe('#123456');
  });
});

describe('textColour', () => {
  const tokens = readFileSync(new URL('../styles/tokens.css', import.meta.url), 'utf8');
  const palette = new Map<string, readonly [string, string]>(
    [...tokens.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);/g)].map(
      ([, name = '', light = '', dark = '']) => [`var(--${name})`, [light, dark]] as const,
    ),
  );
  const themes = [0, 1] as const;
  const coloured = (foreground: TextColour | null, background: TextColour) =>
    textColour({ ...plainStyle, foreground, background });

  it('is read on each background of the theme where a program gave none, black, grey or white, in both themes', () => {
    for (let background = 0; background < 16; background++)
      for (const foreground of [null, 0, 7, 8, 15])
        for (const theme of themes) {
          const ground = palette.get(cssColour(background))![theme];
          const text = palette.get(coloured(foreground, background) ?? 'var(--text)')![theme];
          expect(contrast(text, ground), `${foreground} on ${background}, theme ${theme}`).toBeGreaterThan(3);
        }
  });

  it('is black or white on a background that a program mixed itself, whichever is read', () => {
    expect(coloured(null, '#0102ff')).toBe('#fff');
    expect(coloured(null, 226)).toBe('#000');
    expect(coloured(null, 232)).toBe('#fff');
  });

  it('is what the program says everywhere else', () => {
    expect(textColour(plainStyle)).toBeNull();
    expect(textColour({ ...plainStyle, foreground: 8 })).toBe('var(--ansi-8)');
    expect(coloured(3, 4)).toBe('var(--ansi-3)');
    expect(coloured(15, '#000000')).toBe('var(--ansi-15)');
  });
});

/** The contrast of two colours, by WCAG 2.2. */
function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
