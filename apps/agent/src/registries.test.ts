import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LoamError } from '@loam/base';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { readRegistries } from './registries.ts';

let state: string;
beforeEach(() => void (state = mkdtempSync(join(tmpdir(), 'loam-registries-'))));
afterEach(() => rmSync(state, { recursive: true }));

function read(text: string) {
  writeFileSync(join(state, 'registries.json'), text);
  return readRegistries(state);
}

test('without the file nothing is set up', () => {
  expect(readRegistries(state)).toEqual({});
});

test('mirrors, plain HTTP and credentials are taken as they stand', () => {
  const config = {
    'docker.io': { mirrors: ['mirror.lan:5000'], credentials: { username: 'u', password: 'p' } },
    'mirror.lan:5000': { plainHttp: true },
  };
  expect(read(JSON.stringify(config))).toEqual(config);
});

test.each([
  ['{', 'it is not JSON'],
  ['[]', 'no object of registries'],
  ['{"a":1}', 'a: it is no object'],
  ['{"a":{"plainHTTP":true}}', 'a: there is no field plainHTTP'],
  ['{"a":{"mirrors":"b"}}', 'a: mirrors is no list'],
  ['{"a":{"mirrors":["http://b"]}}', 'a: mirrors is no list'],
  ['{"a":{"plainHttp":"yes"}}', 'a: plainHttp'],
  ['{"a":{"credentials":{"username":"u"}}}', 'a: credentials lacks'],
])('%s is refused with the reason', (text, reason) => {
  let error: unknown;
  try {
    read(text);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(LoamError);
  expect(error).toMatchObject({ code: 'agent.registries-invalid', message: expect.stringContaining(reason) as string });
});
