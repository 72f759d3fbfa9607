import { describe, expect, it } from 'vitest';

import { choosePlatform } from '../fetcher/platform-match.ts';
import { baseImageTag, describeHost, isolationFor, rankWindowsVersion } from './os-match.ts';

describe('which image runs on which host (§11.2 #14)', () => {
  it.each([
    // host, image, process, process or Hyper-V
    ['10.0.17763', '10.0.17763.5000', 'process', 'process'],
    ['10.0.17763', '10.0.14393.1', undefined, 'hyperv'],
    ['10.0.17763', '10.0.20348.1', undefined, undefined],
    ['10.0.20348', '10.0.20348.2700', 'process', 'process'],
    ['10.0.20348', '10.0.17763.1', undefined, 'hyperv'],
    ['10.0.20348', '10.0.26100.1', undefined, undefined],
    ['10.0.22631', '10.0.20348.1', 'process', 'process'],
    ['10.0.25398', '10.0.20348.1', 'process', 'process'],
    ['10.0.26100', '10.0.20348.1', 'process', 'process'],
    ['10.0.26100', '10.0.25398.1', 'process', 'process'],
    ['10.0.26200', '10.0.26100.1', 'process', 'process'],
    ['10.0.26200', '10.0.20348.1', undefined, 'hyperv'],
    ['10.0.20348', '11.0.20348.1', undefined, undefined],
    ['10.0.20348', 'nonsense', undefined, undefined],
  ])('on %s an image of %s: %s, or with fallback %s', (host, image, inProcess, withFallback) => {
    expect(isolationFor(image, host, 'process')).toBe(inProcess);
    expect(isolationFor(image, host, 'process-or-hyperv')).toBe(withFallback);
  });

  it('an image without a version suits everywhere, and the policy may ask for virtual machines always', () => {
    expect(isolationFor(undefined, '10.0.20348', 'process')).toBe('process');
    expect(isolationFor('10.0.20348.1', '10.0.20348', 'hyperv')).toBe('hyperv');
  });
});

describe('the choice from an index', () => {
  const entry = (osVersion: string | undefined, name: string) => ({
    digest: name as never,
    mediaType: '',
    size: 0,
    platform: { os: 'windows', architecture: 'amd64', variant: undefined, osVersion },
  });
  const index = [
    entry('10.0.17763.9000', '2019'),
    entry('10.0.20348.2700', '2022 old'),
    entry('10.0.20348.3100', '2022'),
    entry('10.0.26100.1', '2025'),
  ] as unknown as Parameters<typeof choosePlatform>[0];
  const choose = (host: string, policy: 'process' | 'process-or-hyperv', osVersion?: string): string | undefined =>
    choosePlatform(
      index,
      { os: 'windows', architecture: 'amd64', ...(osVersion === undefined ? {} : { osVersion }) },
      rankWindowsVersion(host, policy),
    )?.digest;

  it('takes the highest build that fits, and of that the highest patch level', () => {
    expect(choose('10.0.20348', 'process')).toBe('2022');
    expect(choose('10.0.26100', 'process')).toBe('2025');
    expect(choose('10.0.17763', 'process')).toBe('2019');
    expect(choose('10.0.14393', 'process')).toBeUndefined();
  });

  it('prefers what shares the kernel to a newer one that needs a virtual machine, and keeps to a build that is asked for', () => {
    expect(choose('10.0.26200', 'process-or-hyperv')).toBe('2025');
    expect(choose('10.0.20348', 'process-or-hyperv', '10.0.17763.1')).toBe('2019');
    expect(choose('10.0.25000', 'process-or-hyperv')).toBe('2022');
  });
});

it.each([
  ['10.0.17763', 'ltsc2019'],
  ['10.0.20348', 'ltsc2022'],
  // The annual build has no long-term image of its own, and runs that of the build below it.
  ['10.0.25398', 'ltsc2022'],
  ['10.0.26100', 'ltsc2025'],
  ['10.0.26200', 'ltsc2025'],
  ['10.0.19045', undefined],
  ['no version', undefined],
])('§7.3: the base image that fits host %s is %s', (host, tag) => {
  expect(baseImageTag(host, 'process')).toBe(tag);
});

it('a refusal names what would fit', () => {
  expect(describeHost('10.0.20348', 'process')).toBe('Windows build 20348 (it runs build 20348: ltsc2022)');
  expect(describeHost('10.0.26100', 'process')).toBe(
    'Windows build 26100 (it runs builds 20348 to 26100: ltsc2022, 23H2, ltsc2025)',
  );
  expect(describeHost('10.0.20348', 'process-or-hyperv')).toBe(
    'Windows build 20348 (it runs builds up to 20348: ltsc2019, ltsc2022)',
  );
});
