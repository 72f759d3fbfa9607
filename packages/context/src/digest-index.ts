import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import { isDigest, type Digest } from '@loam/base';
import { removeFile, replaceFile } from '@loam/files';

/** What identifies a content without reading it. Times in nanoseconds as decimal text: they do not fit a number. */
export interface FileStamp {
  readonly sizeBytes: number;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
  readonly inode: string;
}

type Row = readonly [sizeBytes: number, mtimeNs: string, ctimeNs: string, inode: string, digest: string];

const version = 1;

/**
 * Digests of files that did not change since they were hashed. A memory and nothing more: a file that is missing, foreign
 * or broken makes everything new, and of two processes that write it the last one wins.
 */
export class DigestIndex {
  readonly #file: string;
  readonly #root: string;
  #rows: Map<string, Row> | undefined;
  #loading: Promise<Map<string, Row>> | undefined;
  #changed = false;
  #saving: Promise<void> = Promise.resolve();

  constructor(file: string, root: string) {
    this.#file = file;
    this.#root = root;
  }

  async load(): Promise<void> {
    this.#loading ??= readRows(this.#file, this.#root);
    this.#rows ??= await this.#loading;
  }

  get(path: string, stamp: FileStamp): Digest | undefined {
    const row = this.#rows?.get(path);
    if (!row) return undefined;
    const [sizeBytes, mtimeNs, ctimeNs, inode, digest] = row;
    const same =
      sizeBytes === stamp.sizeBytes &&
      mtimeNs === stamp.mtimeNs &&
      ctimeNs === stamp.ctimeNs &&
      inode === stamp.inode &&
      isDigest(digest);
    return same ? digest : undefined;
  }

  set(path: string, stamp: FileStamp, digest: Digest): void {
    this.#rows?.set(path, [stamp.sizeBytes, stamp.mtimeNs, stamp.ctimeNs, stamp.inode, digest]);
    this.#changed = true;
  }

  /** Forgets what lies below `root` and was not seen there. */
  keepOnly(root: string, seen: ReadonlySet<string>): void {
    for (const path of this.#rows?.keys() ?? []) {
      const below = root === '' || path === root || path.startsWith(`${root}/`);
      if (below && !seen.has(path)) this.#changed = this.#rows?.delete(path) || this.#changed;
    }
  }

  /** Writes what changed: beside the old file first, then in its place. Where that fails, files are hashed again. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(async () => {
      if (!this.#changed || !this.#rows) return;
      this.#changed = false;
      const temporary = `${this.#file}.${process.pid}.tmp`;
      try {
        await mkdir(dirname(this.#file), { recursive: true });
        await writeFile(
          temporary,
          JSON.stringify({ version, root: this.#root, files: Object.fromEntries(this.#rows) }),
        );
        await replaceFile(temporary, this.#file);
      } catch {
        this.#changed = true;
        await removeFile(temporary).catch(() => undefined);
      }
    });
    return this.#saving;
  }
}

async function readRows(file: string, root: string): Promise<Map<string, Row>> {
  try {
    const parsed = JSON.parse(await readFile(file, 'utf8')) as { version?: unknown; root?: unknown; files?: unknown };
    if (parsed.version !== version || parsed.root !== root || typeof parsed.files !== 'object') return new Map();
    return new Map(Object.entries((parsed.files ?? {}) as Record<string, Row>).filter(([, row]) => Array.isArray(row)));
  } catch {
    // Not there, not ours or not whole: then all files are hashed again.
    return new Map();
  }
}
