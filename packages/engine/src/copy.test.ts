import { createHash } from 'node:crypto';

import { linuxImageTree } from '@loam/backend/memory';
import type { Digest } from '@loam/base';
import type { ContextFile, ContextSource } from '@loam/context';
import { describe, expect, it } from 'vitest';

import { makeWorld, type Built, type World } from './test-world.ts';

async function copied(
  world: World,
  ops: string,
  files: Record<string, string> = {},
): Promise<Built & { lines: (path: string) => Promise<string[]> }> {
  const built = await world.build(`((from base) ${ops})`, { files });
  return {
    ...built,
    lines: async (path) => {
      if (built.outcome.kind !== 'succeeded') throw new Error(JSON.stringify(built.outcome));
      return world.list(built.outcome.snapshot, path);
    },
  };
}

async function failure(built: Promise<Built>): Promise<string> {
  const { outcome } = await built;
  return outcome.kind === 'failed' ? `${outcome.error.code}: ${outcome.error.message}` : outcome.kind;
}

const user = '(user (uid 1000) (gid 1001))';

describe('copy from the project', () => {
  it('a file becomes the destination, belongs to the step’s user and is executable if it was', async () => {
    const { lines } = await copied(
      makeWorld(),
      `${user} (copy (src tool) (dst /usr/bin/tool)) (copy (src text) (dst /opt/a/b))`,
      { 'tool*': '#!', text: 'x' },
    );
    expect(await lines('usr/bin')).toEqual(['0:0 755 usr/bin/', '1000:1001 755 usr/bin/tool = #!']);
    expect(await lines('opt')).toEqual(['1000:1001 755 opt/', '1000:1001 755 opt/a/', '1000:1001 644 opt/a/b = x']);
  });

  it('vectors (1): existing destination parents keep owner, mode and time, for whoever copies', async () => {
    const base = linuxImageTree();
    base.makeDirectories('data/in', { uid: 7, gid: 8, mode: 0o2770, mtimeMs: 1_000_000_000_000 });
    const world = makeWorld({ base });
    const { outcome, lines } = await copied(
      world,
      `${user} (copy (src f) (dst /tmp/f)) (copy (src f) (dst /data/in/new/f))`,
      { f: 'x' },
    );
    expect(await lines('tmp')).toEqual(['0:0 1777 tmp/', '1000:1001 644 tmp/f = x']);
    expect(await lines('data')).toEqual([
      '7:8 2770 data/',
      '7:8 2770 data/in/',
      '1000:1001 755 data/in/new/',
      '1000:1001 644 data/in/new/f = x',
    ]);
    if (outcome.kind !== 'succeeded') throw new Error('unreachable');
    const tree = await world.store.tree(outcome.snapshot);
    expect((await tree.resolve('data/in')).entry?.mtimeMs).toBe(1_000_000_000_000);
    await tree.close();
  });

  it('with a final "/" items go into the destination, without it one item becomes it', async () => {
    const files = { 'src/a': '1', 'src/sub/b': '2', top: '3', 'sub/link@': '../top', 'empty/': '' };
    const list = async (ops: string): Promise<string[]> => {
      const { lines } = await copied(makeWorld(), ops, files);
      return (await lines('x')).map((line) => line.replace(/^\S+ \S+ /, ''));
    };
    expect(await list('(copy (src src top) (dst /x/))')).toEqual([
      'x/',
      'x/src/',
      'x/src/a = 1',
      'x/src/sub/',
      'x/src/sub/b = 2',
      'x/top = 3',
    ]);
    expect(await list('(copy (src src) (dst /x))')).toEqual(['x/', 'x/a = 1', 'x/sub/', 'x/sub/b = 2']);
    expect(await list('(copy (src sub empty) (dst /x/))')).toEqual([
      'x/',
      'x/empty/',
      'x/sub/',
      'x/sub/link -> ../top',
    ]);
    const whole = [
      'x/',
      'x/empty/',
      'x/src/',
      'x/src/a = 1',
      'x/src/sub/',
      'x/src/sub/b = 2',
      'x/sub/',
      'x/sub/link -> ../top',
      'x/top = 3',
    ];
    expect(await list('(copy (src .) (dst /x/))')).toEqual(whole);
    expect(await list('(copy (src .) (dst /x))')).toEqual(whole);
    expect(await list('(workdir /x) (copy (src .) (dst .))')).toEqual(whole);
    expect(await list('(workdir /x) (copy (src .) (dst ./))')).toEqual(whole);
    expect(await list('(copy (src src/sub/b) (dst /x/y/))')).toEqual(['x/', 'x/y/', 'x/y/b = 2']);
    expect(await list('(copy (src .) (dst /x) (exclude sub top))')).toEqual([
      'x/',
      'x/empty/',
      'x/src/',
      'x/src/a = 1',
    ]);
  });

  it('goes through links to directories and replaces links and files, never directories by files or the reverse', async () => {
    const base = linuxImageTree();
    base.makeDirectories('usr/lib');
    base.symlink('lib', 'usr/lib');
    base.writeFile('usr/lib/old', 'old');
    base.symlink('etc/link', 'passwd');
    base.symlink('data', '/mnt/volume');
    const world = (): World => makeWorld({ base });
    const through = await copied(world(), '(copy (src lib) (dst /)) (copy (src lib) (dst /data/))', { 'lib/new': 'n' });
    expect((await through.lines('lib')).map((line) => line.slice(8))).toEqual(['lib -> usr/lib']);
    expect((await through.lines('usr/lib')).map((line) => line.slice(8))).toEqual(
      ['usr/lib/', 'usr/lib/new = n', 'usr/lib/old = old'].map((line) => line),
    );
    expect((await through.lines('mnt')).at(-1)).toContain('mnt/volume/lib/new = n');
    const replaced = await copied(world(), '(copy (src f) (dst /etc/link))', { f: 'mine' });
    expect((await replaced.lines('etc/link'))[0]).toContain('etc/link = mine');
    const files = { f: 'x', 'passwd/x': 'y', 'etc/passwd/x': 'z' };
    expect(await failure(copied(world(), '(copy (src f) (dst /tmp))', files))).toMatch(
      /^engine.copy-conflict: Step 1 cannot put a file at "\/tmp"/,
    );
    expect(await failure(copied(world(), '(copy (src passwd) (dst /etc/))', files))).toMatch(
      /^engine.copy-conflict: .*a directory at "\/etc\/passwd"/,
    );
    expect(await failure(copied(world(), '(copy (src f) (dst /etc/passwd/f))', files))).toMatch(
      /^engine.copy-conflict/,
    );
    expect(await failure(copied(world(), '(copy (src f) (dst /))', files))).toBe('succeeded');
    expect(
      await failure(copied(world(), '(copy (src etc f) (dst /new/)) (copy (src f) (dst /new/etc))', files)),
    ).toMatch(/^engine.copy-conflict/);
  });

  it('vectors (2): mode and content are part of the id, time is not', async () => {
    const world = makeWorld();
    const ids = async (files: Record<string, string>): Promise<unknown> =>
      (await copied(world, '(copy (src f) (dst /f))', files)).end('1')?.stepId;
    const plain = await ids({ f: 'x' });
    expect(await ids({ f: 'x' })).toBe(plain);
    expect(await ids({ 'f*': 'x' })).not.toBe(plain);
    expect(await ids({ f: 'y' })).not.toBe(plain);
    expect(await ids({ 'f@': 'x' })).not.toBe(plain);
    expect(await ids({ f: 'x', other: 'not copied' })).toBe(plain);
  });

  it('long names, names in any script and many files arrive', async () => {
    const long = `${'d'.repeat(200)}/${'e'.repeat(200)}/${'f'.repeat(255)}`;
    const files: Record<string, string> = { [`src/${long}`]: 'deep', 'src/日本語 עברית': 'script' };
    for (let index = 0; index < 10_000; index += 1) files[`src/many/${index}`] = String(index);
    const { lines } = await copied(makeWorld(), '(copy (src src) (dst /x))', files);
    const all = await lines('x');
    expect(all).toHaveLength(10_000 + 6);
    expect(all).toContain(`0:0 644 x/${long} = deep`);
    expect(all).toContain('0:0 644 x/日本語 עברית = script');
  });

  it('a file that changed since it was hashed fails the step instead of going in under a wrong id', async () => {
    const digest = (text: string): Digest => `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest;
    for (const now of ['other text', 'text', 'longer text than it was']) {
      const file: ContextFile = { kind: 'file', path: 'f', sizeBytes: 10, mode: 0o644, digest: digest('first text') };
      const context: ContextSource = {
        query: () => Promise.resolve([{ path: 'f', entries: [file] }]),
        async *open() {
          await Promise.resolve();
          yield new TextEncoder().encode(now);
        },
      };
      const world = makeWorld();
      const built = world.build('((from base) (copy (src f) (dst /f)))', { context });
      expect(await failure(built)).toMatch(/engine.context-changed: The file "f"/);
      expect(world.leftovers()).toEqual([]);
    }
  });

  it('a file over 2 GiB is streamed, never held', async () => {
    const block = new Uint8Array(1 << 22);
    const blocks = 520;
    const hash = createHash('sha256');
    for (let index = 0; index < blocks; index += 1) hash.update(block);
    const sizeBytes = blocks * block.length;
    const file: ContextFile = {
      kind: 'file',
      path: 'big',
      sizeBytes,
      mode: 0o644,
      digest: `sha256:${hash.digest('hex')}` as Digest,
    };
    const context: ContextSource = {
      query: () => Promise.resolve([{ path: 'big', entries: [file] }]),
      async *open() {
        for (let index = 0; index < blocks; index += 1) {
          await Promise.resolve();
          yield block;
        }
      },
    };
    const world = makeWorld();
    await world.build('((from base))');
    let seen = 0;
    // The double keeps contents in memory, which is just what must not be needed here.
    world.store.applyLayer = async (_working, entries) => {
      for await (const entry of entries) {
        if (entry.kind !== 'file') continue;
        for await (const bytes of entry.open()) seen += bytes.length;
      }
    };
    const before = process.memoryUsage().rss;
    const { outcome } = await world.build('((from base) (copy (src big) (dst /big)))', { context });
    expect(outcome.kind).toBe('succeeded');
    expect(seen).toBe(sizeBytes);
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20);
  });
});

describe('copy from a build', () => {
  const nested = (prepare: string, copy: string): string =>
    `((build dev ((from base) (run (shell "${prepare}")))) (from base) ${user} ${copy})`;

  it('keeps modes, times and links, and gives everything to the step’s user', async () => {
    const world = makeWorld();
    const prepare = 'mkdir -p /d/e; echo hi > /d/f; chmod 4750 /d/f; ln -s f /d/l; ln /d/f /d/h; chmod 700 /d/e';
    const built = await world.build(nested(prepare, '(copy (from (build dev)) (src /d) (dst /x/))'));
    if (built.outcome.kind !== 'succeeded') throw new Error(JSON.stringify(built.outcome));
    expect(await world.list(built.outcome.snapshot, 'x')).toEqual([
      '1000:1001 755 x/',
      '1000:1001 755 x/d/',
      '1000:1001 700 x/d/e/',
      '1000:1001 4750 x/d/f = hi\n',
      '1000:1001 4750 x/d/h == x/d/f',
      '1000:1001 777 x/d/l -> f',
    ]);
  });

  it('a hard link whose file is left out becomes the file, and further links follow it', async () => {
    const world = makeWorld();
    const prepare = 'mkdir -p /d/skip; echo hi > /d/a; ln /d/a /d/b; ln /d/a /d/c; echo in > /d/skip/z';
    const built = await world.build(nested(prepare, '(copy (from (build dev)) (src d) (dst /x) (exclude a skip))'));
    if (built.outcome.kind !== 'succeeded') throw new Error(JSON.stringify(built.outcome));
    expect(await world.list(built.outcome.snapshot, 'x')).toEqual([
      '1000:1001 755 x/',
      '1000:1001 644 x/b = hi\n',
      '1000:1001 644 x/c == x/b',
    ]);
  });

  it('follows links on the way to a source, and says what is missing', async () => {
    const world = makeWorld();
    const prepare = 'mkdir -p /real; echo hi > /real/f; ln -s real /alias';
    const built = await world.build(nested(prepare, '(copy (from (build dev)) (src /alias/f alias) (dst /x/))'));
    if (built.outcome.kind !== 'succeeded') throw new Error(JSON.stringify(built.outcome));
    expect((await world.list(built.outcome.snapshot, 'x')).map((line) => line.slice(14))).toEqual([
      'x/',
      'x/alias -> real',
      'x/f = hi\n',
    ]);
    expect(await failure(world.build(nested(prepare, '(copy (from (build dev)) (src /none) (dst /x/))')))).toBe(
      'engine.copy-source-missing: Step 1: the build "dev" has no "/none" to copy.',
    );
    expect(world.leftovers()).toEqual([]);
  });

  it('the root of a build can be copied whole', async () => {
    const world = makeWorld();
    const built = await world.build(
      nested('echo hi > /f', '(copy (from (build dev)) (src /) (dst /x) (exclude bin etc home root usr var tmp))'),
    );
    if (built.outcome.kind !== 'succeeded') throw new Error(JSON.stringify(built.outcome));
    expect((await world.list(built.outcome.snapshot, 'x')).map((line) => line.slice(14))).toEqual(['x/', 'x/f = hi\n']);
  });
});
