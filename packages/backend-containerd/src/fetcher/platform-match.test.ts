import type { Digest } from '@loam/base';
import { describe, expect, it } from 'vitest';

import type { IndexEntry } from './manifest.ts';
import { choosePlatform, ignoreOsVersion, listPlatforms, type OsVersionRank } from './platform-match.ts';

function entry(name: string, os: string, architecture: string, variant?: string, osVersion?: string): IndexEntry {
  const platform = { os, architecture, variant, osVersion };
  return { mediaType: name, digest: 'sha256:x' as Digest, size: 1, urls: [], annotations: {}, platform };
}
const choose = (entries: IndexEntry[], architecture: string): string | undefined =>
  choosePlatform(entries, { os: 'linux', architecture }, ignoreOsVersion)?.mediaType;

describe('choosePlatform', () => {
  it('takes operating system and architecture, never an attestation', () => {
    const entries = [
      entry('att', 'unknown', 'unknown'),
      entry('win', 'windows', 'amd64'),
      entry('lin', 'linux', 'amd64'),
    ];
    expect(choose(entries, 'amd64')).toBe('lin');
    expect(choose(entries, 'arm64')).toBeUndefined();
  });

  it('takes the best variant of an architecture whatever their order', () => {
    const arm = [
      entry('v5', 'linux', 'arm', 'v5'),
      entry('v7', 'linux', 'arm', 'v7'),
      entry('v6', 'linux', 'arm', 'v6'),
    ];
    expect(choose(arm, 'arm')).toBe('v7');
    expect(choose(arm.toReversed(), 'arm')).toBe('v7');
    expect(choose([entry('v8', 'linux', 'arm64', 'v8')], 'arm64')).toBe('v8');
    expect(choose([entry('v3', 'linux', 'amd64', 'v3'), entry('plain', 'linux', 'amd64')], 'amd64')).toBe('plain');
  });

  it('asks the platform about OS versions and takes the highest rank', () => {
    const rank: OsVersionRank = (image) => (image?.startsWith('10.0.20348') ? Number(image.split('.')[3]) : undefined);
    const entries = ['10.0.17763.9', '10.0.20348.5', '10.0.20348.7', '10.0.26100.1'].map((version) =>
      entry(version, 'windows', 'amd64', undefined, version),
    );
    expect(choosePlatform(entries, { os: 'windows', architecture: 'amd64' }, rank)?.mediaType).toBe('10.0.20348.7');
  });

  it('lists what there is', () => {
    const entries = [
      entry('a', 'unknown', 'unknown'),
      entry('b', 'linux', 'arm', 'v7'),
      entry('c', 'windows', 'amd64', undefined, '10.0.1'),
    ];
    expect(listPlatforms(entries)).toBe('linux/arm/v7, windows/amd64:10.0.1');
    expect(listPlatforms([])).toBe('none');
  });
});
