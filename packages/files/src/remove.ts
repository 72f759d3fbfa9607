import { rmSync, unlinkSync } from 'node:fs';
import { rm, unlink } from 'node:fs/promises';

import { isHeld, untilFree, untilFreeSync, thisHost, type Host } from './until-free.ts';

/** Removes a file, if it is there. On Windows it waits about a second for whoever has it open. */
export function removeFile(file: string): Promise<void> {
  return untilFree(() => unlink(file).catch(unlessGone));
}

/** `removeFile` for callers that cannot wait otherwise: the thread stands still meanwhile. */
export function removeFileSync(file: string): void {
  untilFreeSync(() => unlinkIfThere(file));
}

/** Removes a file without waiting. False when somebody has it open: then it is there as before, and can be tried again. */
export function removeIfFree(file: string, host = thisHost): boolean {
  return unlessHeld(() => unlinkIfThere(file), host);
}

/**
 * Removes a directory and what is in it, or a file, if it is there. On Windows it waits about a second for whoever has something
 * open. Node's own `maxRetries` starts anew on each level of the tree: what is five deep would wait for hours.
 */
export function removeTree(path: string): Promise<void> {
  return untilFree(() => rm(path, { recursive: true, force: true }));
}

/** `removeTree` for callers that cannot wait otherwise: the thread stands still meanwhile. */
export function removeTreeSync(path: string): void {
  untilFreeSync(() => rmSync(path, { recursive: true, force: true }));
}

/** Removes a tree without waiting. False when somebody has something open: then the rest may be gone, and it can be tried again. */
export function removeTreeIfFree(path: string, host = thisHost): boolean {
  return unlessHeld(() => rmSync(path, { recursive: true, force: true }), host);
}

function unlessHeld(work: () => void, host: Host): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (!isHeld(error, host)) throw error;
    return false;
  }
}

function unlinkIfThere(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    unlessGone(error);
  }
}

function unlessGone(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
