import fc from 'fast-check';
import { expect, it } from 'vitest';

it('property tests draw the same examples in every run', () => {
  expect(fc.readConfigureGlobal().seed).toBe(Number(process.env.LOAM_TEST_SEED ?? 20_261_123));
  const draw = () => {
    const drawn = [];
    fc.assert(fc.property(fc.string(), (text) => void drawn.push(text)));
    return drawn;
  };
  expect(draw()).toEqual(draw());
});
