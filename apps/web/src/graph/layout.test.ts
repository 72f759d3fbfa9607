import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { layoutForest, nodeAt, subtree, type LayoutInput } from './layout.ts';

const node = (id: string, parentId: string | null, weight = 1): LayoutInput => ({ id, parentId, weight });

/** Forests in any order: node n's parent is some smaller n, or none. */
const forests = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 1000 })), { maxLength: 80 }).chain((shape) => {
  const nodes = shape.map(([pick, weight], index) =>
    node(`n${index}`, pick % (index + 1) === index ? null : `n${pick % (index + 1)}`, weight),
  );
  return fc.shuffledSubarray(nodes, { minLength: nodes.length });
});

describe('layoutForest', () => {
  it('gives a subtree the width of everything in it, children inside their parent', () => {
    const layout = layoutForest([node('base', null, 2), node('a', 'base', 1), node('b', 'base', 3), node('c', 'b', 2)]);
    expect([...layout.total]).toEqual([8, 1, 5, 2]);
    expect([...layout.depth]).toEqual([0, 1, 1, 2]);
    expect([...layout.start]).toEqual([0, 0, 1 / 8, 1 / 8]);
    expect(layout.end[2]).toBe(6 / 8);
    expect([...layout.size]).toEqual([4, 1, 2, 1]);
  });

  it('treats a node whose parent is unknown as a root, and survives a cycle', () => {
    const layout = layoutForest([node('x', 'gone'), node('p', 'q'), node('q', 'p'), node('self', 'self')]);
    expect(layout.rows.map((row) => [...row])).toEqual([[0, 3]]);
  });

  it('never overlaps siblings nor leaves the parent, for any forest', () => {
    fc.assert(
      fc.property(forests, (nodes) => {
        const layout = layoutForest(nodes);
        const close = 1e-9;
        nodes.forEach((_, index) => {
          const above = layout.parent[index]!;
          if (above !== -1) {
            expect(layout.depth[index]).toBe(layout.depth[above]! + 1);
            expect(layout.start[index]!).toBeGreaterThanOrEqual(layout.start[above]! - close);
            expect(layout.end[index]!).toBeLessThanOrEqual(layout.end[above]! + close);
          }
          expect(subtree(layout, index)).toHaveLength(layout.size[index]!);
        });
        for (const row of layout.rows) {
          for (let at = 1; at < row.length; at++) {
            expect(layout.start[row[at]!]!).toBeGreaterThanOrEqual(layout.end[row[at - 1]!]! - close);
          }
        }
      }),
    );
  });

  it('finds the node under a point', () => {
    fc.assert(
      fc.property(forests, (nodes) => {
        const layout = layoutForest(nodes);
        nodes.forEach((_, index) => {
          const [start, end] = [layout.start[index]!, layout.end[index]!];
          if (end - start > 1e-6) expect(nodeAt(layout, layout.depth[index]!, (start + end) / 2)).toBe(index);
        });
        expect(nodeAt(layout, 1000, 0.5)).toBe(-1);
      }),
    );
  });

  it('lays out a chain of 100,000 and a fan of 100,000 without a deep stack', () => {
    const chain = Array.from({ length: 100_000 }, (_, index) => node(`${index}`, index === 0 ? null : `${index - 1}`));
    expect(layoutForest(chain).rows).toHaveLength(100_000);
    const fan = Array.from({ length: 100_000 }, (_, index) => node(`${index}`, index === 0 ? null : '0'));
    const before = process.threadCpuUsage();
    expect(layoutForest(fan).rows[1]).toHaveLength(99_999);
    // Of the processor: others may have it most of the time.
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(4);
  });
});
