import type { Owner, ResolvedPath, TreeEntry, TreeReader, User } from '@loam/backend';
import { isLoamError, LoamError } from '@loam/base';

import { readTar, type ReadTarEntry } from '../tar/tar-reader.ts';
import type { OutputSpool } from './output-spool.ts';
import { windowsUser } from './windows-spec.ts';

/** Runs programs in a container on the snapshot that is read. */
export interface ToolContainer {
  /** Starts a program; `output` has what it writes to standard output, and fails when the program cannot be run. */
  run(argv: readonly string[]): Promise<ToolRun>;
  close(): Promise<void>;
}

export interface ToolRun {
  readonly output: OutputSpool;
  /** Resolves when it has ended and its output is complete. */
  readonly finished: Promise<{ readonly exitStatus: number; readonly errors: string }>;
}

/** Where Windows Server 2019 and newer have it, Nano Server included (unverified: see docs/windows-verification.md). */
const tarProgram = 'C:\\Windows\\System32\\tar.exe';
const maxLinks = 40;

/**
 * Reads a snapshot of Windows, which nobody but a container can mount (reference §3.3): `tar.exe` of the image writes to
 * standard output what is asked for. No container starts before something is asked for, and one serves all questions.
 * Siblings come in the order in which tar.exe finds them.
 */
export class ContainerTree implements TreeReader {
  readonly #tools: ToolContainer;
  /** What is at a path, links not followed. A committed snapshot does not change. */
  readonly #known = new Map<string, TreeEntry | undefined>([['', rootEntry]]);

  constructor(tools: ToolContainer) {
    this.#tools = tools;
  }

  async resolve(path: string): Promise<ResolvedPath> {
    const pending = split(path).toReversed();
    const done: string[] = [];
    let links = 0;
    let missing = false;
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === '..') {
        done.pop();
        missing = false;
        continue;
      }
      done.push(part);
      if (missing) continue;
      const entry = await this.#entry(done, pending);
      if (entry === undefined) missing = true;
      if (entry?.kind !== 'symlink') continue;
      if (++links > maxLinks) return { path: split(path).join('/'), entry: undefined };
      done.pop();
      const target = entry.target.replaceAll('\\', '/');
      if (/^(?:[A-Za-z]:)?\//.test(target)) done.length = 0;
      pending.push(...split(target.replace(/^[A-Za-z]:/, '')).toReversed());
    }
    const resolved = done.join('/');
    return { path: resolved, entry: missing ? undefined : this.#known.get(resolved) };
  }

  async *walk(path: string): AsyncIterable<TreeEntry> {
    const start = split(path);
    if (start.includes('..')) throw new Error('walk takes a path without ..');
    const parent = await this.resolve(start.slice(0, -1).join('/'));
    if (start.length > 0 && parent.entry?.kind !== 'directory') return;
    const name = start.at(-1);
    const at = name === undefined ? '' : join(parent.path, name);
    await this.#look([at]);
    if (this.#known.get(at) === undefined) return;
    const run = await this.#tar(['-cf', '-', '-C', 'C:\\', `./${at}`]);
    for await (const entry of this.#entries(run)) yield entry;
    const { exitStatus, errors } = await run.finished;
    if (exitStatus !== 0) throw unreadable(errors === '' ? `tar.exe ended with ${exitStatus}` : errors);
  }

  // oxlint-disable-next-line typescript/require-await -- the port's methods are asynchronous
  async owner(user: User): Promise<Owner> {
    return { uid: 0, gid: 0, name: windowsUser(user).username };
  }

  close(): Promise<void> {
    return this.#tools.close();
  }

  /** What is at `done`. All that may be asked for next on the way through `pending` is looked up along with it. */
  async #entry(done: readonly string[], pending: readonly string[]): Promise<TreeEntry | undefined> {
    const path = done.join('/');
    if (!this.#known.has(path)) {
      const ahead = pending.toReversed();
      const stop = ahead.indexOf('..');
      const sure = stop === -1 ? ahead : ahead.slice(0, stop);
      await this.#look([path, ...sure.map((_, index) => join(path, sure.slice(0, index + 1).join('/')))]);
    }
    return this.#known.get(path);
  }

  /** Asks for the entries at these paths alone. What tar.exe does not give is not there. */
  async #look(paths: readonly string[]): Promise<void> {
    const unknown = paths.filter((path) => !this.#known.has(path));
    if (unknown.length === 0) return;
    const run = await this.#tar(['-cf', '-', '--no-recursion', '-C', 'C:\\', ...unknown.map((path) => `./${path}`)]);
    for await (const entry of this.#entries(run)) this.#known.set(entry.path, entry);
    await run.finished;
    for (const path of unknown) if (!this.#known.has(path)) this.#known.set(path, undefined);
  }

  async #tar(args: readonly string[]): Promise<ToolRun> {
    try {
      return await this.#tools.run([tarProgram, ...args]);
    } catch (error) {
      if (!isLoamError(error, 'backend.command-not-found')) throw error;
      throw LoamError.of('backend.tar-missing', {}, { cause: error });
    }
  }

  async *#entries({ output }: ToolRun): AsyncIterable<TreeEntry> {
    const archive = output.read();
    try {
      for await (const entry of readTar(archive, { requireEnd: true })) yield toTreeEntry(entry, output);
    } catch (error) {
      if (isLoamError(error)) throw error;
      throw unreadable('what tar.exe wrote is not whole', error);
    } finally {
      await archive.return();
    }
  }
}

const rootEntry: TreeEntry = { kind: 'directory', path: '', uid: 0, gid: 0, mode: 0o755, mtimeMs: 0 };

function toTreeEntry(entry: ReadTarEntry, output: OutputSpool): TreeEntry {
  const { sizeBytes, contentOffset, mode } = entry;
  const base = { path: split(entry.path).join('/'), uid: 0, gid: 0, mode, mtimeMs: entry.mtimeSeconds * 1000 };
  switch (entry.type) {
    case 'directory':
      return { ...base, kind: 'directory' };
    case 'file':
      return { ...base, kind: 'file', sizeBytes, open: () => output.read(contentOffset, sizeBytes) };
    case 'symlink':
      return { ...base, kind: 'symlink', target: entry.linkPath };
    case 'hardlink':
      return { ...base, kind: 'hardlink', target: split(entry.linkPath).join('/') };
    case 'other':
      throw unreadable(`"${base.path}" is neither a file, a directory nor a link`);
  }
}

function unreadable(reason: string, cause?: unknown): LoamError {
  const text = reason.trim().split(/\r?\n/)[0] ?? '';
  return LoamError.of('backend.tree-unreadable', { reason: text }, { internal: reason, ...(cause ? { cause } : {}) });
}

function split(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}
