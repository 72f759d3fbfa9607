import { formatSpec } from '@loam/spec';
import { expect, test } from 'vitest';

import { sampleSpec } from './sample.ts';

test('there is nothing to format in the sample', () => {
  expect(formatSpec(sampleSpec)).toBe(sampleSpec);
});
