import fc from 'fast-check';
import { expect, it } from 'vitest';

import { rowHeight, scrollForLine, spacerHeight, visibleWindow } from './window.ts';

it('shows the line that was asked for, in logs of any length, with few rows', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20_000_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (count, share) => {
        const height = 600;
        const line = Math.floor(count * share);
        const top = scrollForLine(line, count, 0, height);
        const shown = visibleWindow(count, top, height);
        expect(shown.first).toBeLessThanOrEqual(line);
        expect(shown.last).toBeGreaterThan(line);
        expect(shown.last - shown.first).toBeLessThan(60);
        const y = shown.offset + (line - shown.first) * rowHeight - top;
        expect(y).toBeGreaterThanOrEqual(-1);
        expect(y).toBeLessThanOrEqual(height);
      },
    ),
  );
});

it('reaches the last line at the very end', () => {
  for (const count of [10, 5000, 600_000, 10_000_000]) {
    const height = 600;
    const top = Math.max(0, spacerHeight(count) - height);
    expect(visibleWindow(count, top, height).last).toBe(count);
  }
});
