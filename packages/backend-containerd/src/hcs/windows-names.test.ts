import { describe, expect, it } from 'vitest';

import { NameCheck, nameProblem } from './windows-names.ts';

describe('names that NTFS cannot hold', () => {
  it.each([
    ['a:b', 'the character :'],
    ['a\\b', 'the character \\'],
    ['what?', 'the character ?'],
    ['tab\there', 'the character U+0009'],
    ['con', 'device'],
    ['NUL.txt', 'device'],
    ['Com1', 'device'],
    ['lpt¹.log', 'device'],
    ['aux ', 'device'],
    ['trailing.', 'dot or a space'],
    ['trailing ', 'dot or a space'],
    ['x'.repeat(256), 'longer than 255'],
    ['.wh.gone', 'deletions'],
  ])('%s: %s', (name, reason) => {
    expect(nameProblem(name)).toContain(reason);
  });

  it.each(['console', 'com', 'com10', 'nul-1', '.gitignore', 'a b', 'größe', '資料', 'x'.repeat(255)])(
    '%s is one like any other',
    (name) => {
      expect(nameProblem(name)).toBeUndefined();
    },
  );
});

describe('the names of one layer', () => {
  it('are refused all at once, each with its reason', () => {
    const check = new NameCheck();
    const paths = ['src', 'src/aux.c', 'src/a', 'src/A', 'src/ok', 'SRC/b', 'x.'];
    expect(paths.map((path) => check.accepts(path))).toEqual([true, false, true, false, true, false, false]);
    expect(() => check.finish()).toThrow(
      'Windows cannot keep these names: "src/aux.c" (it is the name of a device), ' +
        '"src/A" (it is the same as "src/a" there), "SRC" (it is the same as "src" there), ' +
        '"x." (it ends in a dot or a space).',
    );
  });

  it('may come again: a directory, and the parents of a file', () => {
    const check = new NameCheck();
    for (const path of ['a', 'a/b', 'a', 'a/b/c', 'a/b/d']) expect(check.accepts(path)).toBe(true);
    expect(() => check.finish()).not.toThrow();
  });

  it('are counted when there are too many to name', () => {
    const check = new NameCheck();
    for (let number = 0; number < 30; number++) check.accepts(`f${number}:`);
    expect(() => check.finish()).toThrow('and 10 more');
  });

  it('that differ by more than simple case are different', () => {
    const check = new NameCheck();
    expect(check.accepts('straße') && check.accepts('strasse') && check.accepts('STRASSE2')).toBe(true);
    expect(check.accepts('Straße')).toBe(false);
  });
});
