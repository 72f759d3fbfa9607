/** Pixels; `--log-row` in the style sheet says the same. */
export const rowHeight = 20;
const overscan = 8;
/** Browsers stop placing elements somewhere above 16 million pixels; beyond this, scrolling is scaled. */
const tallest = 12_000_000;

export interface LineWindow {
  readonly first: number;
  /** One past the last line to render. */
  readonly last: number;
  /** Where the first line stands in the spacer. */
  readonly offset: number;
}

export function spacerHeight(count: number): number {
  return Math.min(count * rowHeight, tallest);
}

/** The line that is at the top when scrolled to `top`, with a fraction. */
function lineAt(count: number, top: number, height: number): number {
  const full = count * rowHeight;
  if (full <= tallest) return top / rowHeight;
  const share = Math.min(1, top / (tallest - height));
  return (share * (full - height)) / rowHeight;
}

/** Which lines to render when the view is scrolled to `top`. */
export function visibleWindow(count: number, top: number, height: number): LineWindow {
  const at = lineAt(count, Math.max(0, top), height);
  const first = Math.max(0, Math.min(count, Math.floor(at) - overscan));
  const last = Math.min(count, Math.ceil(at + height / rowHeight) + overscan);
  return { first, last, offset: top - (at - first) * rowHeight };
}

/** Where to scroll so that `line` is seen; `top` when it is already. */
export function scrollForLine(line: number, count: number, top: number, height: number): number {
  const at = lineAt(count, top, height);
  if (line >= at && line + 1 <= at + height / rowHeight) return top;
  const full = count * rowHeight;
  const wanted = Math.max(0, Math.min(line * rowHeight - height / 3, full - height));
  return full <= tallest ? wanted : (wanted / (full - height)) * (tallest - height);
}
