import { readFileSync } from 'node:fs';

import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { CreateEnrolmentToken, wordsOfPattern } from '@loam/contracts';
import { expect, test } from 'vitest';

import { translate } from './errors.ts';

test('what a name may consist of is said in words, not as a regular expression', () => {
  const check = TypeBoxValidatorCompiler({ schema: CreateEnrolmentToken, httpPart: 'body' } as never);
  const { error: validation } = check({ pool: 'Big One' }) as { error: unknown };
  const { code, message } = translate({ validation, validationContext: 'body' });
  expect([code, message]).toEqual([
    'api.invalid-request',
    'The request is not valid: body/pool must be lower-case letters (a to z), digits, "." and "-", with a letter or a digit first.',
  ]);
});

test('every pattern of the API has its words', () => {
  const document = readFileSync(new URL('../routes/testdata/openapi.json', import.meta.url), 'utf8');
  const patterns = new Set<string>();
  JSON.parse(document, (key, value: unknown) => {
    if (key === 'pattern' && typeof value === 'string') patterns.add(value);
    return value;
  });
  expect(patterns.size).toBeGreaterThan(3);
  expect([...patterns].filter((pattern) => wordsOfPattern(pattern) === undefined)).toEqual([]);
});
