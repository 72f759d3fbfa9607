import type { User } from '@loam/backend';

/** Where a copy goes. */
export interface Destination {
  /** Absolute, without a final separator except for a root. As it stands in the step's record. */
  readonly path: string;
  /** Written with a final separator: items go into it and do not become it. */
  readonly isDirectory: boolean;
}

/** What differs between platforms in the meaning of a spec. Pure: texts in, texts out. */
export interface PlatformRules {
  readonly workdir: string;
  readonly user: User;
  /** Absolute paths of shells to look for in a base image, best first, with their arguments before the command. */
  readonly shells: readonly (readonly string[])[];
  /** Used when none of `shells` is there. */
  readonly fallbackShell: readonly string[];
  /** An absolute path out of one that may be relative to `workdir`. */
  absolute(workdir: string, path: string): string;
  destination(workdir: string, path: string): Destination;
  /** An absolute path as trees name it: relative to the root, separated by `/`. */
  treePath(absolute: string): string;
  /** The drive of an absolute path that lies in no tree; undefined for one that does. A container has the system drive only. */
  otherDrive(absolute: string): string | undefined;
  /** Names of one variable have equal keys. */
  envKey(name: string): string;
  /** Whether files belong to numbers, so that a cache must be made for somebody. */
  readonly numericOwners: boolean;
}
