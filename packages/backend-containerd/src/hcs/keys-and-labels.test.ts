import { randomUUID } from 'node:crypto';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { checkNamespace, isLayerKey, scratchLabels, Turns, workingKey } from './keys-and-labels.ts';

describe('keys of working snapshots', () => {
  it('rule 1: a key that a layer is applied to has the mark, a key that runs has it nowhere', () => {
    for (let round = 0; round < 100; round++) {
      const unique = randomUUID();
      expect(workingKey('layer', unique)).toContain('extract');
      expect(isLayerKey(workingKey('run', unique))).toBe(false);
    }
  });

  it.each(['my-extract-1', 'EXTRACT', 'preExtracted'])('rule 1: the unique part %s is refused', (unique) => {
    expect(() => workingKey('run', unique)).toThrow('would make the snapshotter');
  });

  it.each(['extractor', 'builds-Extract', 'reextracted'])('rule 1: the namespace %s is refused', (namespace) => {
    expect(() => checkNamespace(namespace)).toThrow('must not contain "extract"');
  });

  it('a key that runs is told from a layer by Go as by us', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9.-]{0,40}$/), (unique) => {
        fc.pre(!isLayerKey(unique));
        expect(workingKey('run', unique).includes('extract')).toBe(false);
      }),
    );
  });
});

describe('the size of the scratch disk (§11.2 #20)', () => {
  it.each(['v1.7.7', '1.7.34-rc1', 'v2.0.0', '2.3.4+unknown', 'v10.0.0'])('is given in bytes to %s', (version) => {
    expect(scratchLabels(version, 50 * 2 ** 30)).toEqual({
      'containerd.io/snapshot/windows/rootfs.sizebytes': '53687091200',
    });
  });

  it.each(['1.6.20~ds1', 'v1.6.39'])('is given in whole gigabytes, rounded up, to %s', (version) => {
    expect(scratchLabels(version, 50.5 * 2 ** 30)).toEqual({
      'containerd.io/snapshot/io.microsoft.container.storage.rootfs.size-gb': '51',
    });
  });

  it('is left to the snapshotter unless it is asked for', () => {
    expect(scratchLabels('v2.0.0', undefined)).toEqual({});
  });
});

it('commits take turns, and one that fails does not hold up the next', async () => {
  const turns = new Turns();
  const events: string[] = [];
  const work = (name: string, fails = false) =>
    turns.take(async () => {
      events.push(`${name} begins`);
      await Promise.resolve();
      events.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const all = await Promise.allSettled([work('a'), work('b', true), work('c')]);
  expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(events).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});
