import { LoamError } from '@loam/base';
import { afterEach, expect, it, vi } from 'vitest';

import { printError } from './print-error.ts';

afterEach(() => vi.restoreAllMocks());

it('says what went wrong, the code that the list of errors has it under, and what to do', () => {
  const said: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  printError(LoamError.of('general.cancelled', {}), false);
  const { message, remedy } = LoamError.of('general.cancelled', {});
  expect(said.join('')).toBe(`loam-agent: ${message} [general.cancelled]\n  ${remedy}\n`);
});
