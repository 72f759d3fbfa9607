import { expect, test } from 'vitest';

import { explainDatabase } from './explain-database.ts';

const coded = (message: string, code: string): Error => Object.assign(new Error(message), { code });

test('a name with several addresses, none of which answers, is told with each', () => {
  const each = ['::1:5432', '127.0.0.1:5432'].map((address) =>
    coded(`connect ECONNREFUSED ${address}`, 'ECONNREFUSED'),
  );
  expect(explainDatabase(Object.assign(new AggregateError(each), { code: 'ECONNREFUSED' }))).toMatchObject({
    code: 'api.database-unusable',
    message: expect.stringContaining('connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127.0.0.1:5432'),
  });
});

test.each(['28P01', '28000', '3D000', '08006', 'ECONNREFUSED'])('%s is about the settings or the server', (code) => {
  expect(explainDatabase(coded('why', code))).toMatchObject({ code: 'api.database-unusable' });
});

test.each(['42P01', 'ENOENT'])('%s is something else', (code) => {
  const error = coded('why', code);
  expect(explainDatabase(error)).toBe(error);
});
