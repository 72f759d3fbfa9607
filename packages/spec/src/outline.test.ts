import { describe, expect, it } from 'vitest';

import { outlineSpec } from './outline.ts';
import { parseSpec } from './parse.ts';

function positions(text: string): string[] {
  const { spec } = parseSpec(text);
  if (spec === undefined) throw new Error("the test's spec does not parse");
  return outlineSpec(spec).map((step) => `${step.position} ${step.kind}`);
}

describe('outlineSpec', () => {
  it('numbers from, run and copy of each stage, nested builds first', () => {
    expect(
      positions(
        '((build dev ((build inner ((from x))) (from y) (run (shell a)))) (from z) (env A b) (copy (src s) (dst d)) (run (shell c)))',
      ),
    ).toEqual(['dev/inner/0 from', 'dev/0 from', 'dev/1 run', '0 from', '1 copy', '2 run']);
  });

  it('keeps positions apart for names that repeat or hold a slash', () => {
    const found = positions(
      '((build a ((build b ((from x))) (from x))) (build a ((from y))) (build a/b ((from z))) (build a~2 ((from q))) (from r))',
    );
    expect(found).toEqual(['a/b/0 from', 'a/0 from', 'a~2/0 from', 'a%2Fb/0 from', 'a%7E2/0 from', '0 from']);
  });

  it('takes any number of steps in a nested build', () => {
    const run = { kind: 'run', cache: [], network: [], secrets: [], shell: 'a' } as const;
    const nested = { builds: [], from: 'x', ops: Array.from({ length: 150_000 }, () => run) };
    const spec = { builds: [{ name: 'a', spec: nested }], from: 'y', ops: [] };
    expect(outlineSpec(spec)).toHaveLength(150_002);
  });
});
