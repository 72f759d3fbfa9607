/** The part of the graph on screen: `x0`–`x1` of its width, from `top` pixels down. */
export interface Viewport {
  readonly x0: number;
  readonly x1: number;
  readonly top: number;
}

export const wholeView: Viewport = { x0: 0, x1: 1, top: 0 };
const narrowest = 1e-9;

/** Zooms by `factor` (below 1: in) so that what is at `at` (0–1 of the screen's width) stays there. */
export function zoomed(view: Viewport, factor: number, at: number): Viewport {
  const width = Math.min(1, Math.max(narrowest, (view.x1 - view.x0) * factor));
  const fixed = view.x0 + (view.x1 - view.x0) * at;
  return clamped({ x0: fixed - width * at, x1: fixed + width * (1 - at), top: view.top });
}

/** Moves by shares of the screen's width and pixels of height. */
export function panned(view: Viewport, share: number, pixels: number): Viewport {
  const by = (view.x1 - view.x0) * share;
  return clamped({ x0: view.x0 + by, x1: view.x1 + by, top: view.top + pixels });
}

/** A view on `[start, end]` with a little of what is beside it. */
export function fitted(start: number, end: number, top: number): Viewport {
  const margin = Math.max(narrowest, (end - start) * 0.04);
  const x0 = Math.max(0, start - margin);
  return clamped({ x0, x1: Math.max(x0 + narrowest, Math.min(1, end + margin)), top });
}

function clamped({ x0, x1, top }: Viewport): Viewport {
  const width = Math.min(1, x1 - x0);
  const from = Math.max(0, Math.min(1 - width, x0));
  return { x0: from, x1: from + width, top: Math.max(0, top) };
}
