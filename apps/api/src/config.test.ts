import { expect, test } from 'vitest';

import { readConfig, settings, type Config, type Environment } from './config.ts';

const read = (environment: Environment): Config =>
  readConfig(environment, { webDirectory: 'web', packagesDirectory: 'packages' });
const publicUrl = (address: string): string | null => read({ LOAM_PUBLIC_URL: address }).publicUrl;
const configInvalid = expect.objectContaining({ code: 'api.config-invalid' }) as Error;

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
    expect(() => publicUrl(given)).toThrow(configInvalid);
  },
);

test('what is set to nothing is as if it were not set', () => {
  const empty = Object.fromEntries(Object.keys(settings).map((name) => [name, '']));
  expect(read(empty)).toEqual(read({}));
});

test.each([
  ['LOAM_LOG_LEVEL', 'loud'],
  ['LOAM_TRUSTED_PROXIES', 'proxy.lan'],
  ['LOAM_TRUSTED_PROXIES', '10.0.0.0/33'],
  ['LOAM_TRUSTED_PROXIES', '0.0.0.0/0'],
  ['LOAM_TRUSTED_PROXIES', '10.0.0.0/24/8'],
  ['LOAM_LISTEN', '7700'],
  ['LOAM_AGENT_GRACE_MS', '1m'],
])('%s=%s is refused by its name', (name, value) => {
  expect(() => read({ [name]: value })).toThrow(expect.objectContaining({ message: expect.stringContaining(name) }));
});

test.each(['postgres://loam:pa/ss@db:notaport/loam', 'mysql://loam:pa-ss@db/loam'])(
  'an address of a database that is none (%s) is refused without telling its password',
  (address) => {
    expect(() => read({ LOAM_DATABASE_URL: address })).toThrow(configInvalid);
    expect(() => read({ LOAM_DATABASE_URL: address })).not.toThrow(/pa.ss/);
  },
);

test('proxies are addresses, networks and what is called by name', () => {
  expect(read({ LOAM_TRUSTED_PROXIES: '10.0.0.1, 172.16.0.0/12,fd00::/8, uniquelocal' }).trustedProxies).toEqual([
    '10.0.0.1',
    '172.16.0.0/12',
    'fd00::/8',
    'uniquelocal',
  ]);
});
