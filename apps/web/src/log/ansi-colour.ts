import type { TextColour, TextStyle } from './ansi.ts';

const cube = [0, 95, 135, 175, 215, 255];

/**
 * The colour of text for CSS, null for the log's own. On a background, text without a colour, black, grey or white takes
 * the one that is read there: the theme's backgrounds are dark in the light theme and light in the dark one, unlike a terminal's.
 */
export function textColour({ foreground, background }: TextStyle): string | null {
  const isNeutral =
    foreground === null || foreground === 0 || foreground === 7 || foreground === 8 || foreground === 15;
  if (background !== null && isNeutral) {
    if (typeof background === 'number' && background < 16) return 'var(--log-ground)';
    if (foreground === null) return isLight(cssColour(background)) ? '#000' : '#fff';
  }
  return foreground === null ? null : cssColour(foreground);
}

/** Whether black is read on it better than white: relative luminance of WCAG 2.2 above 0.179. */
function isLight(colour: string): boolean {
  const parts = colour.startsWith('#')
    ? [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
    : (colour.match(/\d+/g) ?? []).map(Number);
  const [red = 0, green = 0, blue = 0] = parts.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179;
}

/** A colour for CSS: the first sixteen come from the theme. */
export function cssColour(colour: TextColour): string {
  if (typeof colour === 'string') return colour;
  if (colour < 16) return `var(--ansi-${colour})`;
  if (colour >= 232) {
    const grey = 8 + (colour - 232) * 10;
    return `rgb(${grey} ${grey} ${grey})`;
  }
  const index = colour - 16;
  return `rgb(${cube[Math.floor(index / 36)]} ${cube[Math.floor(index / 6) % 6]} ${cube[index % 6]})`;
}
