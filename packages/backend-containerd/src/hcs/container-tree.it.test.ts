import { spawn } from 'node:child_process';
import { chmod, link, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { TreeEntry } from '@loam/backend';
import { LoamError } from '@loam/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { ContainerTree, type ToolContainer } from './container-tree.ts';
import { OutputSpool } from './output-spool.ts';

/** The host's own tar, on a directory that stands in for `C:\`. What Windows' tar.exe does is unverified. */
let root: string;
let spools: string;
let runs: string[][];
let open: OutputSpool[];
let tree: ContainerTree;

const localTools: ToolContainer = {
  run([, ...args]) {
    const output = new OutputSpool(join(spools, String(runs.length)));
    open.push(output);
    runs.push(args.filter((arg) => arg.startsWith('./')));
    const child = spawn(
      'tar',
      args.map((arg) => (arg === 'C:\\' ? root : arg)),
    );
    let errors = '';
    child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
    child.stdout.on('data', (bytes: Buffer) => output.write(bytes));
    const finished = new Promise<{ exitStatus: number; errors: string }>((resolve) => {
      child.on('close', (code) => {
        output.end();
        resolve({ exitStatus: code ?? 1, errors });
      });
    });
    return Promise.resolve({ output, finished });
  },
  close: async () => {
    for (const spool of open) await spool.remove();
  },
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'loam-tree-'));
  spools = await mkdtemp(join(tmpdir(), 'loam-spools-'));
  runs = [];
  open = [];
  tree = new ContainerTree(localTools);
  await mkdir(join(root, 'src/deep/er'), { recursive: true });
  await writeFile(join(root, 'src/a.txt'), 'hello');
  await chmod(join(root, 'src/a.txt'), 0o644);
  await utimes(join(root, 'src/a.txt'), 1_700_000_000, 1_700_000_000);
  await writeFile(join(root, 'src/deep/größe 資料'), 'x'.repeat(3_000_000));
  await link(join(root, 'src/a.txt'), join(root, 'src/again'));
  await symlink('src', join(root, 'relative'));
  await symlink('C:\\src\\deep', join(root, 'absolute'));
  await symlink('loop', join(root, 'loop'));
});
afterEach(async () => {
  await tree.close();
  await rm(root, { recursive: true });
  await rm(spools, { recursive: true });
});

async function content(entry: TreeEntry | undefined): Promise<string> {
  if (entry?.kind !== 'file') throw new Error('no file');
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry.open()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('a tree that is read through a container', () => {
  it('§11.2 #2, vectors (10) copy from build: gives a file with its content, and what it is, as often as asked', async () => {
    const { path, entry } = await tree.resolve('src/a.txt');
    expect(path).toBe('src/a.txt');
    expect(entry).toMatchObject({ kind: 'file', sizeBytes: 5, mode: 0o644, mtimeMs: 1_700_000_000_000, uid: 0 });
    expect(await Promise.all([content(entry), content(entry)])).toEqual(['hello', 'hello']);
  });

  it('follows links in every component, by any kind of slash', async () => {
    const kinds = async (path: string): Promise<unknown[]> => {
      const found = await tree.resolve(path);
      return [found.path, found.entry?.kind];
    };
    expect(await kinds('relative/a.txt')).toEqual(['src/a.txt', 'file']);
    expect(await kinds('absolute/er')).toEqual(['src/deep/er', 'directory']);
    expect(await kinds('relative/../absolute/../a.txt')).toEqual(['src/a.txt', 'file']);
    expect((await kinds('loop'))[1]).toBeUndefined();
    expect(await kinds('none/of/this')).toEqual(['none/of/this', undefined]);
    expect(await kinds('../../src')).toEqual(['src', 'directory']);
    expect(await kinds('')).toEqual(['', 'directory']);
  });

  it('asks for a whole path at once, and never twice', async () => {
    await tree.resolve('src/deep/er/new/file');
    await tree.resolve('src/deep/er');
    await tree.resolve('src/deep/er/new');
    expect(runs).toEqual([['./src', './src/deep', './src/deep/er', './src/deep/er/new', './src/deep/er/new/file']]);
  });

  it('walks: parents first, hard links to what came before, content while it still arrives', async () => {
    const seen = new Map<string, string>();
    for await (const entry of tree.walk('src')) {
      const text = entry.kind === 'file' ? await content(entry) : entry.kind === 'hardlink' ? `-> ${entry.target}` : '';
      seen.set(entry.path, `${entry.kind} ${text.slice(0, 20)}`.trim());
    }
    expect([...seen.keys()][0]).toBe('src');
    expect(seen.get('src/deep/größe 資料')).toBe(`file ${'x'.repeat(20)}`);
    const pair = [seen.get('src/a.txt'), seen.get('src/again')];
    expect(pair).toContain('file hello');
    expect(pair).toContainEqual(expect.stringMatching(/^hardlink -> src\/(?:a\.txt|again)$/));
    expect(seen.size).toBe(6);
  });

  it('walks a link as a link, and nothing where nothing is', async () => {
    const walked = async (path: string): Promise<string[]> => {
      const found: string[] = [];
      for await (const entry of tree.walk(path)) found.push(`${entry.kind} ${entry.path}`);
      return found;
    };
    expect(await walked('relative')).toEqual(['symlink relative']);
    expect(await walked('none')).toEqual([]);
    expect(await walked('src/a.txt/x')).toEqual([]);
  });
});

it('an image without tar.exe is a clear error', async () => {
  const none: ToolContainer = {
    run: () => Promise.reject(LoamError.of('backend.command-not-found', { command: 'tar.exe' })),
    close: () => Promise.resolve(),
  };
  await expect(new ContainerTree(none).resolve('x')).rejects.toMatchObject({ code: 'backend.tar-missing' });
});

it('output that is cut off is an error, not a shorter tree', async () => {
  const cut: ToolContainer = {
    async run(argv) {
      const { finished, output } = await localTools.run(argv);
      await finished;
      const short = new OutputSpool(join(spools, 'short'));
      open.push(short);
      let left = 1024;
      for await (const bytes of output.read()) {
        short.write(bytes.subarray(0, left));
        left -= Math.min(left, bytes.length);
      }
      short.end();
      return { output: short, finished };
    },
    close: localTools.close,
  };
  tree = new ContainerTree(cut);
  await expect(tree.resolve('src/deep')).rejects.toMatchObject({ code: 'backend.tree-unreadable' });
});

it('owners go by name, and a Unix user is refused', async () => {
  expect(await tree.owner({ kind: 'name', name: 'ContainerUser' })).toEqual({ uid: 0, gid: 0, name: 'ContainerUser' });
  await expect(tree.owner({ kind: 'id', uid: 1, gid: 1 })).rejects.toMatchObject({ code: 'backend.unix-user' });
});
