import { expect, it } from 'vitest';

import { parseChallenges } from './auth.ts';

it('challenges are read with quoted and bare parameters, several in one header', () => {
  expect(parseChallenges('Bearer realm="https://auth/token",service=reg,scope="repository:a/b:pull,push"')).toEqual([
    {
      scheme: 'bearer',
      parameters: { realm: 'https://auth/token', service: 'reg', scope: 'repository:a/b:pull,push' },
    },
  ]);
  expect(parseChallenges('Basic realm="a \\"quoted\\" realm", Bearer realm="https://x"')).toEqual([
    { scheme: 'basic', parameters: { realm: 'a "quoted" realm' } },
    { scheme: 'bearer', parameters: { realm: 'https://x' } },
  ]);
  expect(parseChallenges('Negotiate')).toEqual([{ scheme: 'negotiate', parameters: {} }]);
  expect(parseChallenges('')).toEqual([]);
});
