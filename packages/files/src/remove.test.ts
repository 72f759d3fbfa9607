import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { untilFree, untilFreeSync, type Host } from './until-free.ts';
import { removeFile, removeFileSync, removeIfFree, removeTree, removeTreeSync } from './remove.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'loam-files-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const failure = (code: string): Error => Object.assign(new Error(code), { code });

/** A host where work fails so many times; tells how often it was tried, and how long was waited. */
function tried(platform: NodeJS.Platform, failures: number, code: string) {
  const seen = { tries: 0, waitedMs: 0 };
  const host: Host = {
    platform,
    async pause(ms) {
      seen.waitedMs += ms;
    },
    pauseSync(ms) {
      seen.waitedMs += ms;
    },
  };
  const work = (): void => {
    seen.tries += 1;
    if (seen.tries <= failures) throw failure(code);
  };
  return { seen, host, work };
}

describe.each([
  ['waiting', (work: () => void, host: Host) => untilFree(async () => work(), host)],
  ['standing still', async (work: () => void, host: Host) => untilFreeSync(work, host)],
])('%s for whoever has a file open', (_, patience) => {
  it.each(['EPERM', 'EACCES', 'EBUSY', 'ENOTEMPTY'])('%s passes on Windows', async (code) => {
    const { seen, host, work } = tried('win32', 3, code);
    await patience(work, host);
    expect(seen).toEqual({ tries: 4, waitedMs: 150 });
  });

  it('ends after a second with what Windows said last', async () => {
    const { seen, host, work } = tried('win32', Number.POSITIVE_INFINITY, 'EBUSY');
    await expect(patience(work, host)).rejects.toMatchObject({ code: 'EBUSY' });
    expect(seen.waitedMs).toBeGreaterThan(900);
    expect(seen.waitedMs).toBeLessThan(1100);
  });

  it.each([
    ['win32', 'ENOSPC'],
    ['linux', 'EBUSY'],
    ['linux', 'ENOTEMPTY'],
  ] as const)('is of no use on %s with %s', async (platform, code) => {
    const { seen, host, work } = tried(platform, 1, code);
    await expect(patience(work, host)).rejects.toMatchObject({ code });
    expect(seen).toEqual({ tries: 1, waitedMs: 0 });
  });
});

describe('removing', () => {
  it('takes files and trees away, and what is not there is no error', async () => {
    const [file, other, third] = [join(home, 'a'), join(home, 'b'), join(home, 'c')];
    for (const path of [file, other, third]) writeFileSync(path, 'x');
    const [tree, another] = [join(home, 'tree'), join(home, 'another')];
    for (const path of [tree, another]) mkdirSync(join(path, 'below', 'below'), { recursive: true });
    for (const _ of ['there', 'gone']) {
      await removeFile(file);
      removeFileSync(other);
      expect(removeIfFree(third)).toBe(true);
      await removeTree(tree);
      removeTreeSync(another);
      expect(readdirSync(home)).toEqual([]);
    }
  });

  it('without waiting throws what is not a matter of time', () => {
    // A directory cannot be unlinked: EISDIR or EPERM, and on Linux both are for good.
    const host: Host = { ...tried('linux', 0, '').host };
    expect(() => removeIfFree(home, host)).toThrow();
    expect(existsSync(home)).toBe(true);
  });
});
