import { readFileSync } from 'node:fs';

import { errorCatalogue } from '@loam/base';
import { expect, it } from 'vitest';

import { errorsPage, errorsPagePath } from './errors.ts';

it('docs/errors.md lists exactly the codes of the catalogue (refresh: node tools/docs/errors.ts)', () => {
  expect(readFileSync(errorsPagePath, 'utf8')).toBe(errorsPage());
});

it('every code reads room.kind, and says what happened and what to do in whole sentences', () => {
  for (const [code, entry] of Object.entries(errorCatalogue)) {
    expect(code).toMatch(/^[a-z]+\.[a-z0-9-]+$/);
    // Some end with a value that is a sentence itself.
    expect(entry.message, code).toMatch(/([.!]|: \{[a-z]+\})$/);
    expect(entry.remedy, code).toMatch(/[.!…]$/);
    expect(entry.status, code).toBeGreaterThanOrEqual(400);
  }
});
