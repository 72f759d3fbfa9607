import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { systemClock, type Clock } from '@loam/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openLocalContext, type ContextEntry, type ContextSource } from './index.ts';

let scratch: string;
let project: string;
let indexFile: string;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'loam-context-'));
  project = join(scratch, 'project');
  indexFile = join(scratch, 'state', 'index.json');
  await mkdir(project);
});
afterEach(() => rm(scratch, { recursive: true }));

async function put(path: string, text: string | Uint8Array): Promise<void> {
  const file = join(project, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

/** Far enough in the past to be remembered; ctime is always now, so the clock goes forward instead. */
const later: Clock = { ...systemClock, now: () => Date.now() + 10_000 };

function open(clock: Clock = later): ContextSource {
  return openLocalContext(project, { indexFile, clock });
}

async function entries(source: string, excludes: string[] = [], context = open()): Promise<ContextEntry[]> {
  const [item] = await context.query({ sources: [source], excludes });
  return [...(item?.entries ?? [])];
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

async function code(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'fulfilled',
    (error: { code?: string }) => error.code,
  );
}

describe('query', () => {
  it('lists files, directories and links below a source, sorted by path, parents first', async () => {
    await put('src/a.c', 'int a;');
    await put('src/a/b.c', 'int b;');
    await put('src/run.sh', '#!/bin/sh');
    await put('other', 'not asked for');
    await chmod(join(project, 'src/run.sh'), 0o700);
    await symlink('../other', join(project, 'src/link'));
    expect(await entries('src')).toEqual([
      { kind: 'directory', path: 'src' },
      { kind: 'directory', path: 'src/a' },
      { kind: 'file', path: 'src/a.c', sizeBytes: 6, mode: 0o644, digest: sha256('int a;') },
      { kind: 'file', path: 'src/a/b.c', sizeBytes: 6, mode: 0o644, digest: sha256('int b;') },
      { kind: 'symlink', path: 'src/link', target: '../other' },
      { kind: 'file', path: 'src/run.sh', sizeBytes: 9, mode: 0o755, digest: sha256('#!/bin/sh') },
    ]);
  });

  it('"." is the whole project, and spellings of one source give the same item', async () => {
    await put('a/b', 'text');
    expect((await entries('.')).map((entry) => entry.path)).toEqual(['', 'a', 'a/b']);
    const spellings = ['a/b', './a/b', 'a//b', '/a/./b', 'a/b/'];
    const items = await open().query({ sources: spellings, excludes: [] });
    expect(new Set(items.map((item) => JSON.stringify(item))).size).toBe(1);
  });

  it('excludes take out base names at any depth, but never a source itself', async () => {
    for (const path of ['.git/config', 'src/.git/x', 'src/_build/y', 'src/keep/_build', 'src/z', '_build/w'])
      await put(path, 'x');
    expect((await entries('.', ['.git', '_build'])).map((entry) => entry.path)).toEqual([
      '',
      'src',
      'src/keep',
      'src/z',
    ]);
    expect((await entries('_build', ['_build'])).map((entry) => entry.path)).toEqual(['_build', '_build/w']);
  });

  it('looks at nothing but what it is asked for', async () => {
    await put('wanted/a', 'a');
    await mkdir(join(project, 'forbidden'));
    const server = createServer();
    await new Promise<void>((done) => server.listen(join(project, 'forbidden', 'socket'), done));
    expect(await entries('wanted')).toHaveLength(2);
    expect(await code(entries('forbidden'))).toBe('context.unsupported-file');
    expect(await entries('forbidden', ['socket'])).toHaveLength(1);
    await new Promise((done) => server.close(done));
  });

  it('refuses what leads out of the project', async () => {
    await put('real/a', 'a');
    await symlink('/etc', join(project, 'etc'));
    await symlink('real', join(project, 'alias'));
    for (const source of ['..', '../project', 'real/../../x', 'real/..', 'etc/passwd', 'alias/a', 'a\0b']) {
      expect([source, await code(entries(source))]).toEqual([source, 'context.source-outside']);
    }
    expect(await entries('etc')).toEqual([{ kind: 'symlink', path: 'etc', target: '/etc' }]);
  });

  it('names what is missing', async () => {
    await put('file', 'x');
    expect(await code(entries('none'))).toBe('context.source-missing');
    expect(await code(entries('file/below'))).toBe('context.source-missing');
    expect(await code(entries('no/such/parent'))).toBe('context.source-missing');
    await rm(project, { recursive: true });
    expect(await code(entries('.'))).toBe('context.directory-missing');
  });

  it('refuses names that are no text, and takes names in any script', async () => {
    for (const name of ['日本語', 'e\u0301', '\u00e9', 'tab\tline\n', 'back\\slash']) await put(`names/${name}`, name);
    expect((await entries('names')).map((entry) => entry.path)).toContain('names/back\\slash');
    expect(await entries('names')).toHaveLength(6);
    await mkdir(join(project, 'bad'));
    await writeFile(Buffer.concat([Buffer.from(`${project}/bad/`), Buffer.from([0xff, 0xfe])]), 'x');
    expect(await code(entries('bad'))).toBe('context.name-unsupported');
  });

  it('10,000 files', async () => {
    await mkdir(join(project, 'many'));
    await Promise.all(
      Array.from({ length: 10_000 }, (_, index) => writeFile(join(project, 'many', String(index)), 'x')),
    );
    expect(await entries('many')).toHaveLength(10_001);
  });
});

describe('the digest index', () => {
  it('vectors (9): a file is hashed once: with stamp unchanged its digest comes from the index, also in another process', async () => {
    await put('big', 'content');
    await entries('big');
    // Seen only if the index is believed: nobody read the file to find this digest.
    const forged = sha256('forged');
    await writeFile(indexFile, (await readFile(indexFile, 'utf8')).replace(sha256('content'), forged));
    expect(await entries('big')).toMatchObject([{ digest: forged }]);
  });

  it('changed content is seen: by size, by time, and by a replaced inode of the same size and time', async () => {
    // The times are told: between two writes none may pass that a file system would tell apart.
    const at = async (path: string, text: string, seconds: number): Promise<void> => {
      await put(path, text);
      await utimes(join(project, path), seconds, seconds);
    };
    await at('file', 'aaaa', 1_700_000_000);
    await entries('file');
    await at('file', 'bbbb', 1_700_000_001);
    expect(await entries('file')).toMatchObject([{ digest: sha256('bbbb') }]);
    await at('other', 'cccc', 1_700_000_001);
    await rename(join(project, 'other'), join(project, 'file'));
    expect(await entries('file')).toMatchObject([{ digest: sha256('cccc') }]);
  });

  it('a file written in the moment of hashing is not remembered', async () => {
    await put('file', 'fresh');
    const { ctimeMs } = await stat(join(project, 'file'));
    await entries('file', [], open({ ...systemClock, now: () => ctimeMs }));
    expect(await readFile(indexFile, 'utf8').catch(() => '')).not.toContain(sha256('fresh'));
    await entries('file');
    expect(await readFile(indexFile, 'utf8')).toContain(sha256('fresh'));
  });

  it('a broken or foreign index is as good as none', async () => {
    await put('file', 'text');
    await mkdir(dirname(indexFile), { recursive: true });
    for (const broken of [
      '',
      '{',
      '[]',
      '{"version":1,"root":"/elsewhere","files":{}}',
      '{"version":99}',
      '{"version":1,"files":7}',
    ]) {
      await writeFile(indexFile, broken);
      expect(await entries('file')).toMatchObject([{ digest: sha256('text') }]);
    }
  });

  it('forgets files that are gone', async () => {
    await put('a', 'a');
    await put('b', 'b');
    await entries('.');
    await rm(join(project, 'a'));
    await put('b', 'new');
    await entries('.');
    expect(Object.keys((JSON.parse(await readFile(indexFile, 'utf8')) as { files: object }).files)).toEqual(['b']);
  });
});

describe('open', () => {
  it('gives the content, block by block, that the manifest speaks of', async () => {
    const text = 'x'.repeat(3_000_000);
    await put('big', text);
    const context = open();
    const [file] = await entries('big', [], context);
    if (file?.kind !== 'file') throw new Error('no file');
    const blocks: Uint8Array[] = [];
    for await (const bytes of context.open(file)) blocks.push(bytes);
    expect(Buffer.concat(blocks).toString() === text).toBe(true);
    expect(blocks.length).toBeGreaterThan(1);
  });

  it('does not follow a link that took the file’s place', async () => {
    await put('file', 'text');
    const context = open();
    const [file] = await entries('file', [], context);
    if (file?.kind !== 'file') throw new Error('no file');
    await rm(join(project, 'file'));
    await symlink('/etc/passwd', join(project, 'file'));
    const read = async (): Promise<void> => {
      for await (const bytes of context.open(file)) expect(bytes).toBeUndefined();
    };
    expect(await code(read())).toBe('context.unreadable');
  });
});
