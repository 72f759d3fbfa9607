import { expect, test } from 'vitest';

import { readConfig } from './config.ts';

const publicUrl = (address: string): string | null =>
  readConfig({ LOAM_PUBLIC_URL: address }, { webDirectory: 'web', packagesDirectory: 'packages' }).publicUrl;

test.each([
  ['https://farm.example', 'https://farm.example'],
  ['https://Farm.Example:443/', 'https://farm.example'],
  ['http://10.0.0.5:7700', 'http://10.0.0.5:7700'],
])('the public address %s is kept as agents will write it down: %s', (given, kept) => {
  expect(publicUrl(given)).toBe(kept);
});

test.each(['farm.example', 'ftp://farm', 'https://', 'https://farm.example/loam', 'https://farm.example?x'])(
  '%s is no address that an agent could use',
  (given) => {
    expect(() => publicUrl(given)).toThrow(expect.objectContaining({ code: 'api.config-invalid' }));
  },
);
