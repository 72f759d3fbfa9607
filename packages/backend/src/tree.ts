import type { Owner, User } from './platform.ts';

/** What all entries of a tree share. Paths are relative to the root, `/`-separated, without a leading slash; `''` is the root. */
interface EntryBase {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, set-id and sticky included (`0o7777`). */
  readonly mode: number;
  /** Milliseconds since the epoch, whole seconds kept by every back end. */
  readonly mtimeMs: number;
}

export interface DirectoryEntry extends EntryBase {
  readonly kind: 'directory';
}
export interface FileEntry extends EntryBase {
  readonly kind: 'file';
  readonly sizeBytes: number;
  /** Opens the content anew at each call. Yields exactly `sizeBytes` bytes or throws. */
  open(): AsyncIterable<Uint8Array>;
}
export interface SymlinkEntry extends EntryBase {
  readonly kind: 'symlink';
  readonly target: string;
}
/** Another name of a file that came earlier in the same stream, at `target` (a path like `path`). */
export interface HardLinkEntry extends EntryBase {
  readonly kind: 'hardlink';
  readonly target: string;
}
export interface DeviceEntry extends EntryBase {
  readonly kind: 'fifo' | 'character-device' | 'block-device';
  readonly major: number;
  readonly minor: number;
}

/** One item of a file tree. A stream of them, parents before children, is what a layer is made of. */
export type TreeEntry = DirectoryEntry | FileEntry | SymlinkEntry | HardLinkEntry | DeviceEntry;

/** What is at a path, with every symbolic link on the way followed inside the tree. */
export interface ResolvedPath {
  /** The path without symbolic links. Components that do not exist stand as they were asked for. */
  readonly path: string;
  /** The entry there; undefined when nothing is. */
  readonly entry: TreeEntry | undefined;
}

/**
 * Read access to the merged file tree of a committed snapshot.
 *
 * Life: from `Store.tree` until `close`, which must be called on every path. While it is open the snapshot cannot be removed.
 * Concurrency: its methods may run concurrently with each other. Nothing is left behind after `close`, or after a crash and
 * the next `Store.reconcile`. No link can lead out of the tree.
 */
export interface TreeReader {
  /** Follows symbolic links in every component. Absolute and relative paths mean the same; `..` stops at the root. */
  resolve(path: string): Promise<ResolvedPath>;
  /**
   * The entry at `path` (its last component not followed) and everything below it: pre-order, siblings in byte order of
   * their names. Hard links to a file already yielded come as `hardlink`. Yields nothing when nothing is there.
   */
  walk(path: string): AsyncIterable<TreeEntry>;
  /** Whose uid and gid a user has in this tree. Throws `backend.unknown-user` when the tree does not know the name. */
  owner(user: User): Promise<Owner>;
  close(): Promise<void>;
}
