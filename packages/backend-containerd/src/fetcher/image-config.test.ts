import { describe, expect, it } from 'vitest';

import { chainIds } from './chain-id.ts';
import { parseImageConfig } from './image-config.ts';
import { parseManifest } from './manifest.ts';

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const digest = (digit: string): `sha256:${string}` => `sha256:${digit.repeat(64)}`;

describe('an image configuration', () => {
  const rootfs = { type: 'layers', diff_ids: [digest('a')] };

  it('gives environment, user, directory and shell; what is absent or empty is undefined', () => {
    const config = { Env: ['A=1', 'B=', 'C=x=y', '=C:=C:\\'], User: 'u', WorkingDir: '/w', Shell: ['cmd', '/S', '/C'] };
    expect(parseImageConfig(json({ os: 'linux', architecture: 'amd64', config, rootfs })).config).toEqual({
      env: [
        ['A', '1'],
        ['B', ''],
        ['C', 'x=y'],
        ['=C:', 'C:\\'],
      ],
      user: 'u',
      workdir: '/w',
      shell: ['cmd', '/S', '/C'],
    });
    expect(parseImageConfig(json({ config: { User: '' }, rootfs })).config).toEqual({
      env: [],
      user: undefined,
      workdir: undefined,
      shell: undefined,
    });
  });

  it.each([
    [{ config: { Env: 'A=1' }, rootfs }],
    [{ config: { Env: ['novalue'] }, rootfs }],
    [{ config: { User: 1000 }, rootfs }],
    [{ config: {}, rootfs: { diff_ids: ['sha256:short'] } }],
    [{ config: {} }],
  ])('%j is refused, not half read', (document) => {
    expect(() => parseImageConfig(json(document))).toThrow();
  });

  it('a manifest of schema 1 is refused', () => {
    expect(() => parseManifest(json({ schemaVersion: 1 }))).toThrow('schema version');
  });
});

it('chain ids are those of the OCI specification', () => {
  const [first, second, third] = chainIds([digest('a'), digest('b'), digest('c')] as never);
  expect(first).toBe(digest('a'));
  // printf 'sha256:aaa… sha256:bbb…' | sha256sum
  expect(second).toBe('sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c');
  expect(third).toBe('sha256:c1377126441fb2f5ec2c21ae2a60255331d639e830f0ee1b40a36e52d4c40588');
});
