import { describe, expect, it } from 'vitest';

import { askedBy, readProcessStatus, serviceStatusBytes } from './service-status.ts';

const hex = (bytes: Buffer): string => (bytes.toString('hex').match(/.{8}/g) ?? []).join(' ');
const words = (...numbers: number[]): Buffer => Buffer.from(Uint32Array.from(numbers).buffer);

describe('what the service manager is told', () => {
  it.each([
    [
      { state: 'startPending', checkpoint: 3, waitHintMs: 10_000 } as const,
      '10000000 02000000 00000000 00000000 00000000 03000000 10270000',
    ],
    // Stop and preshutdown are accepted, and only while it runs.
    [{ state: 'running' } as const, '10000000 04000000 01010000 00000000 00000000 00000000 00000000'],
    [{ state: 'stopped', exitCode: 0 } as const, '10000000 01000000 00000000 00000000 00000000 00000000 00000000'],
    // 1066: the code beside it is ours, and the recovery rules apply.
    [{ state: 'stopped', exitCode: 1 } as const, '10000000 01000000 00000000 2a040000 01000000 00000000 00000000'],
  ])('%j', (status, bytes) => {
    expect(hex(serviceStatusBytes(status))).toBe(bytes);
  });
});

describe('what the service manager says', () => {
  it('a service that runs has a process and no exit code', () => {
    expect(readProcessStatus(words(0x10, 4, 5, 0, 0, 0, 0, 4711, 0))).toEqual({ state: 'running', processId: 4711 });
  });

  it('one that failed has the code that it gave, or that of Windows', () => {
    expect(readProcessStatus(words(0x10, 1, 0, 1066, 3, 0, 0, 0, 0))).toEqual({ state: 'stopped', exitCode: 3 });
    expect(readProcessStatus(words(0x10, 1, 0, 1067, 0, 0, 0, 0, 0))).toEqual({ state: 'stopped', exitCode: 1067 });
  });

  it('one that ended well, or has never been started, has not failed', () => {
    expect(readProcessStatus(words(0x10, 1, 0, 0, 0, 0, 0, 0, 0))).toEqual({ state: 'stopped' });
    expect(readProcessStatus(words(0x10, 1, 0, 1077, 0, 0, 0, 0, 0))).toEqual({ state: 'stopped' });
  });
});

it('stop, shutdown and preshutdown stop it; a question is answered; all else is unknown', () => {
  expect([1, 5, 15].map(askedBy)).toEqual(['stop', 'stop', 'stop']);
  expect(askedBy(4)).toBe('report');
  expect([2, 3, 128].map(askedBy)).toEqual(['unknown', 'unknown', 'unknown']);
});
