import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { root } from './paths.mjs';

// What OBuilder does wrong, and what must not be done wrong on Windows: every row has a test that names it, so that
// `grep '§11.2 #12'` finds what keeps it away. The rows are those of windows-containers.md §11.2, of the OBuilder vectors'
// README, and of the ten rules in windows-containers.md §0.
const rows = {
  '§11.2': [
    'secrets are written and never mounted',
    'copy from another stage finds no files',
    'caches are copied whole, and updates are lost',
    'a failed commit is only logged',
    'processes for every operation; the image is pulled twice',
    'output for people is parsed',
    'mounts that cannot be parsed become none',
    'names of containers collide',
    'the start deletes what others run',
    'no namespace, no lease, removals that fail unheard',
    'a snapshot with children is forgotten and not removed',
    'what is there is removed first; a failed base leaves its snapshot',
    'a moved tag never refreshes',
    'no choice by os.version',
    'references are completed wrongly',
    'only Env is read from an image, and errors are swallowed',
    'Unix users become administrators; one shell; tar must exist',
    'mounts of type bind',
    'layerFolders put together by hand',
    'no limits',
    'network only by one name, and leaked',
    'streams merged, exit codes of the wrong process',
    'cancel is tried once',
    'a path to ctr that only one part honours',
    'a running root file system that nothing protects',
    'free space of the wrong volume',
    'the environment is logged',
  ],
  vectors: [
    'owner, mode and time of existing parents change',
    'the mode of a file is not part of a copy’s id',
    'directories travel as files',
    'a tar that dies kills without a message and leaks',
    'many layers, and trees deleted while mounted',
    'a second process on one store destroys the first one’s build',
    'escapes in paths, order of fields, unknown operations',
    'Dockerfiles that mean something else',
    'every file is hashed again',
  ],
  'vectors (10)': [
    'secrets',
    'copy from build',
    'processes',
    'networks',
    'unix user',
    'Path',
    'workdir',
    'out',
    'tar names',
    'start-up',
    'two stores',
    'base fetch',
    'caches',
    'kill',
    'pull output',
  ],
};
const wanted = [
  ...rows['§11.2'].map((_, index) => `§11.2 #${index + 1}`),
  ...rows.vectors.map((_, index) => `vectors (${index + 1})`),
  ...rows['vectors (10)'].map((what) => `vectors (10) ${what}`),
  ...Array.from({ length: 10 }, (_, index) => `§0 rule ${index + 1}`),
];

/** The titles in a test file, but of tests that are passed over. A title is the first argument of a call. */
function titles(text) {
  const call = /(?<skipped>\.(?:skip|todo)\w*)?\(\s*(?:'(?<single>(?:[^'\\\n]|\\.)*)'|`(?<template>[^`]*)`)\s*,/g;
  return [...text.matchAll(call)]
    .filter(({ groups, index }) => !groups.skipped && !/\/\/[^\n]*$/.test(text.slice(0, index)))
    .map(({ groups }) => groups.single ?? groups.template);
}

/** The rows that titles name: `§11.2 #1, #25, vectors (10) secrets: …`. */
function named(title) {
  const numbers = /§11\.2 ((?:#\d+(?:, )?)+)/g;
  const points = /vectors \((\d+)\)(?: ([A-Za-z][A-Za-z -]*[a-z]))?(?=[,:)])/g;
  return [
    ...[...title.matchAll(numbers)].flatMap(([, list]) => list.match(/#\d+/g).map((number) => `§11.2 ${number}`)),
    ...[...title.matchAll(points)].map(([, point, what]) =>
      what ? `vectors (${point}) ${what}` : `vectors (${point})`,
    ),
    ...[...title.matchAll(/§0 rule (\d+)/g)].map(([rule]) => rule),
  ];
}

async function testFiles(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => /\.test\.tsx?$|\/testsuite\/[^/]+\.ts$/.test(file));
}

async function namedInTree() {
  const files = [...(await testFiles(path.join(root, 'packages'))), ...(await testFiles(path.join(root, 'apps')))];
  const found = await Promise.all(files.map(async (file) => titles(await readFile(file, 'utf8')).flatMap(named)));
  return new Set(found.flat());
}

describe('every defect that is known', () => {
  it('has a test whose name says so, and no test names one that is not known', async () => {
    const found = await namedInTree();
    expect(wanted.filter((row) => !found.has(row))).toEqual([]);
    expect([...found].filter((row) => !wanted.includes(row))).toEqual([]);
  });
});

describe('the reader of names', () => {
  it('finds rows in titles of tests, groups and tables', () => {
    expect(
      titles(
        "describe('a (§11.2 #3)', () => {\n it.each([[1, 2]])('§11.2 #1, #25, vectors (10) unix user: x', () => 0) });",
      ).flatMap(named),
    ).toEqual(['§11.2 #3', '§11.2 #1', '§11.2 #25', 'vectors (10) unix user']);
    expect(titles('it(\n  `vectors (4): x`,\n  () => 0)').flatMap(named)).toEqual(['vectors (4)']);
  });

  it('does not count tests that are passed over, comments, or strings elsewhere', () => {
    const text =
      "it.skip('§11.2 #1: x', f); it.todo('§11.2 #2: x', f);\n// it('§11.2 #3: x', f)\nconst text = '§11.2 #4';";
    expect(titles(text).flatMap(named)).toEqual([]);
  });
});
