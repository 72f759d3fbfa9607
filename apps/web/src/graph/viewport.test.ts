import fc from 'fast-check';
import { expect, it } from 'vitest';

import { fitted, panned, wholeView, zoomed } from './viewport.ts';

it('keeps the point under the pointer while zooming in', () => {
  const view = zoomed(wholeView, 0.25, 0.6);
  expect(view.x0 + (view.x1 - view.x0) * 0.6).toBeCloseTo(0.6);
  expect(view.x1 - view.x0).toBeCloseTo(0.25);
});

it('never leaves the graph nor turns inside out', () => {
  const move = fc.oneof(
    fc.tuple(
      fc.constant('zoom' as const),
      fc.double({ min: 0.01, max: 100, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
    ),
    fc.tuple(
      fc.constant('pan' as const),
      fc.double({ min: -3, max: 3, noNaN: true }),
      fc.integer({ min: -500, max: 500 }),
    ),
  );
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
      let view = wholeView;
      for (const [kind, a, b] of moves) view = kind === 'zoom' ? zoomed(view, a, b) : panned(view, a, b);
      expect(view.x0).toBeGreaterThanOrEqual(0);
      expect(view.x1).toBeLessThanOrEqual(1 + 1e-9);
      expect(view.x1).toBeGreaterThan(view.x0);
      expect(view.top).toBeGreaterThanOrEqual(0);
    }),
  );
});

it('fits a span with a margin', () => {
  const view = fitted(0.4, 0.5, 0);
  expect(view.x0).toBeLessThan(0.4);
  expect(view.x1).toBeGreaterThan(0.5);
});
