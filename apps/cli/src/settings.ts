import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync, chmodSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { LoamError } from '@loam/base';

import type { Io } from './io.ts';
import type { ColorChoice } from './output/style.ts';

/** The options that every command has. */
export interface GlobalOptions {
  readonly url?: string;
  readonly token?: string;
  readonly color?: ColorChoice | boolean;
}

/** Where a farm is and what lets us in. */
export interface Farm {
  readonly url: string;
  readonly token?: string;
}

const defaultUrl = 'http://127.0.0.1:7700';

/**
 * The farm that the user means: the options, then the environment, then what `loam login` stored, then a farm that was
 * started on this machine. A stored token goes to no other address than the one it was stored with.
 */
export function findFarm(options: GlobalOptions, io: Io): Farm {
  const known = [readFarm(configPath(io)), ...embeddedPaths(io).map(readFarm)].filter((farm) => farm !== undefined);
  const url = trimUrl(options.url ?? io.env['LOAM_URL'] ?? known[0]?.url ?? defaultUrl);
  const token = options.token ?? io.env['LOAM_TOKEN'] ?? known.find((farm) => trimUrl(farm.url) === url)?.token;
  return token === undefined ? { url } : { url, token };
}

/** `$XDG_CONFIG_HOME/loam/config.json`, by default under `~/.config`. */
export function configPath(io: Io): string {
  const base = io.env['XDG_CONFIG_HOME'] ?? join(io.env['HOME'] ?? homedir(), '.config');
  return join(base, 'loam', 'config.json');
}

/** Where the digests of a project's files are remembered, in `$XDG_CACHE_HOME`, by default `~/.cache`. */
export function digestIndexPath(project: string, io: Io): string {
  const base = io.env['XDG_CACHE_HOME'] ?? join(io.env['HOME'] ?? homedir(), '.cache');
  return join(base, 'loam', 'digests', `${createHash('sha256').update(project).digest('hex').slice(0, 32)}.json`);
}

/** Stores a farm for later commands, readable by this user alone. */
export function storeFarm(farm: Farm, io: Io): string {
  const path = configPath(io);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, `${JSON.stringify(farm, undefined, 2)}\n`, { mode: 0o600 });
  // The mode above only counts for a file that was not there before.
  chmodSync(path, 0o600);
  return path;
}

function embeddedPaths(io: Io): string[] {
  const paths = io.env['LOAM_DATA'] === undefined ? [] : [join(resolve(io.cwd, io.env['LOAM_DATA']), 'cli.json')];
  for (let folder = resolve(io.cwd); ; folder = dirname(folder)) {
    paths.push(join(folder, '.loam', 'cli.json'));
    if (folder === dirname(folder)) return paths;
  }
}

function readFarm(path: string): Farm | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // Not there, or another user's: then it is not ours to use.
    return undefined;
  }
  try {
    const value = JSON.parse(text) as Partial<Farm> | null;
    if (typeof value?.url !== 'string') throw new TypeError('no "url"');
    return typeof value.token === 'string' ? { url: value.url, token: value.token } : { url: value.url };
  } catch (cause) {
    throw LoamError.of('cli.bad-config', { path }, { cause });
  }
}

function trimUrl(url: string): string {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `http://${url}`;
  if (!URL.canParse(full)) throw LoamError.of('cli.bad-url', { url });
  return full.replace(/\/+$/, '');
}
