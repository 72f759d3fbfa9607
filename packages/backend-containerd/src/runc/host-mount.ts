import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';

import type { Mount } from '@loam/containerd';
import { LoamError } from '@loam/base';

import { parseMountInfo } from './mount-info.ts';

const run = promisify(execFile);
/** mount(2) takes one page of options. */
const maxOptionBytes = 4095;

/** A call of mount(8). */
export interface MountCommand {
  readonly args: readonly string[];
  readonly cwd: string;
}

/**
 * How to mount a snapshot on a host directory. Directories of an overlay are written relative to where they lie together, so
 * that some 500 layers fit into the one page of options that the kernel takes.
 */
export function mountCommand(mount: Mount, target: string, readonly: boolean): MountCommand {
  if (mount.type === 'bind') {
    const flags = readonly || mount.options.includes('ro') ? 'ro' : 'rw';
    return { args: ['--bind', '-o', flags, mount.source, target], cwd: '/' };
  }
  if (mount.type !== 'overlay') throw new Error(`a snapshot is mounted in an unknown way: ${mount.type}`);
  const { cwd, options } = shortenOverlay(readonly ? readonlyOverlay(mount.options) : mount.options);
  const text = options.join(',');
  if (Buffer.byteLength(text) > maxOptionBytes) throw new Error('the snapshot has too many layers to be mounted');
  return { args: ['-t', 'overlay', mount.source, '-o', text, target], cwd };
}

const directoryOptions = new Set(['lowerdir', 'upperdir', 'workdir']);

/** The same overlay without anything to write to: what was the upper directory becomes the first of the lower ones. */
function readonlyOverlay(options: readonly string[]): string[] {
  const upper = valueOf(options, 'upperdir');
  if (upper === undefined) return [...options];
  const lower = valueOf(options, 'lowerdir');
  const rest = options.filter((option) => !directoryOptions.has(option.split('=')[0] ?? ''));
  return ['ro', ...rest, `lowerdir=${upper}${lower === undefined ? '' : `:${lower}`}`];
}

function shortenOverlay(options: readonly string[]): { cwd: string; options: string[] } {
  const directories = options.flatMap((option) => {
    const [name, value] = split(option);
    return directoryOptions.has(name) ? (value ?? '').split(':') : [];
  });
  const cwd = commonParent(directories);
  const shorten = (path: string): string => relative(cwd, path);
  return {
    cwd,
    options: options.map((option) => {
      const [name, value] = split(option);
      return directoryOptions.has(name) ? `${name}=${(value ?? '').split(':').map(shorten).join(':')}` : option;
    }),
  };
}

function split(option: string): [string, string | undefined] {
  const equals = option.indexOf('=');
  return equals === -1 ? [option, undefined] : [option.slice(0, equals), option.slice(equals + 1)];
}

export function valueOf(options: readonly string[], name: string): string | undefined {
  return options.map(split).find(([key]) => key === name)?.[1];
}

function commonParent(paths: readonly string[]): string {
  let common = dirname(paths[0] ?? '/');
  while (common !== '/' && !paths.every((path) => path.startsWith(`${common}/`))) common = dirname(common);
  return common;
}

/**
 * The same mounts, but unmounting them does not wait until all that the host has written lies on its disk (half a second
 * after 200 MB). Nothing else that makes snapshots waits for that either. Source: kernel overlayfs.rst, "Volatile mount".
 */
export function unsynced(mounts: readonly Mount[]): Mount[] {
  return mounts.map((mount) =>
    mount.type === 'overlay' && kernelHasVolatile() ? { ...mount, options: ['volatile', ...mount.options] } : mount,
  );
}

/** After an unsynced mount the kernel refuses the directories until this mark has been removed. */
export async function allowMountAgain(mounts: readonly Mount[]): Promise<void> {
  for (const { type, options } of mounts) {
    const workDirectory = valueOf(options, 'workdir');
    if (type === 'overlay' && workDirectory !== undefined) {
      await rm(join(workDirectory, 'work', 'incompat'), { recursive: true, force: true });
    }
  }
}

/** Linux 5.10. */
function kernelHasVolatile(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 10);
}

/** Mounts a snapshot. Throws `general.internal` with mount's words in the log part. */
export async function mountSnapshot(mounts: readonly Mount[], target: string, readonly: boolean): Promise<void> {
  const [mount, ...more] = mounts;
  if (mount === undefined || more.length > 0) throw new Error('a snapshot is mounted in an unknown way');
  const { args, cwd } = mountCommand(mount, target, readonly);
  try {
    await run('mount', args, { cwd });
  } catch (error) {
    throw LoamError.of('general.internal', {}, { cause: error, internal: `mount: ${stderrOf(error)}` });
  }
}

/** Unmounts; a directory on which nothing is mounted is a success. */
export async function unmount(target: string): Promise<void> {
  try {
    await run('umount', [target], { cwd: '/' });
  } catch (error) {
    if (!(await mountPoints()).includes(target)) return;
    // Busy: something of ours still has a file open. It loses its name now, and goes with the last user.
    await run('umount', ['--lazy', target], { cwd: '/' }).catch(() => {
      throw LoamError.of('general.internal', {}, { cause: error, internal: `umount: ${stderrOf(error)}` });
    });
  }
}

/** Where anything is mounted now. */
export async function mountPoints(): Promise<string[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8')).map((mount) => mount.mountPoint);
}

function stderrOf(error: unknown): string {
  const text = (error as { stderr?: unknown }).stderr;
  return typeof text === 'string' && text !== '' ? text.trim() : String(error);
}
