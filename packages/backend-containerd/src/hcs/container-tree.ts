import type { Owner, ResolvedPath, TreeEntry, TreeReader, User } from '@loam/backend';
import { isLoamError, LoamError } from '@loam/base';

import { followLinks, joinPath, splitPath } from '../tree/follow-links.ts';
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
    const found = await followLinks(path, async (at, ahead) => {
      const entry = await this.#entry(at, ahead);
      if (entry === undefined) return 'nothing';
      if (entry.kind !== 'symlink') return 'something';
      return { linkTo: entry.target.replaceAll('\\', '/').replace(/^[A-Za-z]:/, '') };
    });
    return { path: found.path, entry: found.exists ? this.#known.get(found.path) : undefined };
  }

  async *walk(path: string): AsyncIterable<TreeEntry> {
    const start = splitPath(path);
    if (start.includes('..')) throw new Error('walk takes a path without ..');
    const parent = await this.resolve(start.slice(0, -1).join('/'));
    if (start.length > 0 && parent.entry?.kind !== 'directory') return;
    const name = start.at(-1);
    const at = name === undefined ? '' : joinPath(parent.path, name);
    await this.#look([at]);
    if (this.#known.get(at) === undefined) return;
    const run = await this.#tar(['-cf', '-', '-C', 'C:\\', `./${at}`]);
    for await (const entry of this.#entries(run)) yield entry;
    const { exitStatus, errors } = await run.finished;
    if (exitStatus !== 0) throw unreadable(errors === '' ? `tar.exe ended with ${exitStatus}` : errors);
  }

  /**
   * Windows has no numbers, and a layer's files carry the descriptor of reference §3.5 whoever copies them: users may read
   * and add to them. Whether the image knows the name shows when a step runs as that user, since nothing in a tree tells.
   */
  // oxlint-disable-next-line typescript/require-await -- the port's methods are asynchronous
  async owner(user: User): Promise<Owner> {
    return { uid: 0, gid: 0, name: windowsUser(user).username };
  }

  close(): Promise<void> {
    return this.#tools.close();
  }

  /** What is at a path. All that may be asked for next on the way through `ahead` is looked up along with it. */
  async #entry(path: string, ahead: readonly string[]): Promise<TreeEntry | undefined> {
    if (!this.#known.has(path)) {
      const stop = ahead.indexOf('..');
      const sure = stop === -1 ? ahead : ahead.slice(0, stop);
      await this.#look([path, ...sure.map((_, index) => joinPath(path, sure.slice(0, index + 1).join('/')))]);
    }
    return this.#known.get(path);
  }

  /** Asks for the entries at these paths alone. What tar.exe does not give is not there. */
  async #look(paths: readonly string[]): Promise<void> {
    const unknown = paths.filter((path) => !this.#known.has(path));
    if (unknown.length === 0) return;
    const run = await this.#tar(['-cf', '-', '--no-recursion', '-C', 'C:\\', ...unknown.map((path) => `./${path}`)]);
    for await (const entry of this.#entries(run)) this.#known.set(entry.path, entry);
    const { exitStatus, errors } = await run.finished;
    // With 1 it says that a name is not there, GNU's with 2. Else it has died, and what it did not give may be there.
    if (exitStatus > 2) throw unreadable(errors === '' ? `tar.exe ended with ${exitStatus}` : errors);
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
  const base = { path: splitPath(entry.path).join('/'), uid: 0, gid: 0, mode, mtimeMs: entry.mtimeSeconds * 1000 };
  switch (entry.type) {
    case 'directory':
      return { ...base, kind: 'directory' };
    case 'file':
      return { ...base, kind: 'file', sizeBytes, open: () => output.read(contentOffset, sizeBytes) };
    case 'symlink':
      return { ...base, kind: 'symlink', target: entry.linkPath };
    case 'hardlink':
      return { ...base, kind: 'hardlink', target: splitPath(entry.linkPath).join('/') };
    case 'other':
      throw unreadable(`"${base.path}" is neither a file, a directory nor a link`);
  }
}

function unreadable(reason: string, cause?: unknown): LoamError {
  const text = reason.trim().split(/\r?\n/)[0] ?? '';
  return LoamError.of('backend.tree-unreadable', { reason: text }, { internal: reason, ...(cause ? { cause } : {}) });
}
