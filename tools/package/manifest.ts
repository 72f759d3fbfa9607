import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

import { root } from '../lib/paths.mjs';

/** dist/agent/manifest.json: what can be downloaded. */
export interface PackageManifest {
  readonly version: string;
  /** Of the sources; absent where they are not in git. */
  readonly commit?: string;
  readonly files: readonly PackageFile[];
}

export interface PackageFile {
  /** `windows-x64` or `linux-x64`. */
  readonly platform: string;
  /** Of the file beside the manifest. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly sha256: string;
}

export const packageDirectory: string = path.join(root, 'dist/agent');
const manifestFile = path.join(packageDirectory, 'manifest.json');
const stampFile = path.join(packageDirectory, '.loam-package.json');

/** All that an executable is made of, apart from the pinned downloads, which `tools/package` names. */
const sources = [
  'apps/agent/package.json',
  'apps/agent/src',
  ...['base', 'spec', 'contracts', 'context', 'backend', 'engine', 'containerd', 'backend-containerd'].map(
    (room) => `packages/${room}/src`,
  ),
  'tools/package',
  'tools/lib/npm-package.mjs',
  'pnpm-lock.yaml',
];

/** Names the state of the sources. */
export function sourceDigest(): string {
  const hash = createHash('sha256');
  for (const source of sources) {
    for (const file of filesOf(path.join(root, source)))
      hash.update(`${path.relative(root, file)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Platforms whose executable is there and was made of these sources. */
export function freshPlatforms(digest: string): string[] {
  const stamp = readJson<Record<string, string>>(stampFile) ?? {};
  const there = readManifest()?.files ?? [];
  return there
    .filter((file) => stamp[file.platform] === digest && existsSync(path.join(packageDirectory, file.name)))
    .map((file) => file.platform);
}

/** Takes a finished executable into the manifest. Readers see the old manifest or the new one. */
export async function recordPackage(
  platform: string,
  name: string,
  about: { readonly version: string; readonly commit: string | undefined; readonly digest: string },
): Promise<PackageFile> {
  const file = path.join(packageDirectory, name);
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const entry: PackageFile = { platform, name, size: statSync(file).size, sha256: hash.digest('hex') };
  const others = (readManifest()?.files ?? []).filter((other) => other.platform !== platform);
  const manifest: PackageManifest = {
    version: about.version,
    ...(about.commit === undefined ? {} : { commit: about.commit }),
    files: [...others, entry].sort((a, b) => (a.platform < b.platform ? -1 : 1)),
  };
  writeJson(manifestFile, manifest);
  writeJson(stampFile, { ...readJson<Record<string, string>>(stampFile), [platform]: about.digest });
  return entry;
}

function readManifest(): PackageManifest | undefined {
  return readJson<PackageManifest>(manifestFile);
}

function readJson<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined;
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}

function* filesOf(place: string): Generator<string> {
  if (statSync(place).isFile()) {
    yield place;
    return;
  }
  for (const entry of readdirSync(place, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory()) {
      if (!['testing', 'testdata', 'testsuite'].includes(entry.name)) yield* filesOf(path.join(place, entry.name));
    } else if (!entry.name.endsWith('.test.ts')) {
      yield path.join(place, entry.name);
    }
  }
}
