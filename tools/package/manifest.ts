import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
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
const manifestName = 'manifest.json';
const stampName = '.loam-package.json';

/** Platforms whose executable is there and was made of what `digestOf` says it is to be made of. */
export function freshPlatforms(directory: string, digestOf: (platform: string) => string): string[] {
  const stamp = readJson<Record<string, string>>(path.join(directory, stampName)) ?? {};
  const there = readManifest(directory)?.files ?? [];
  return there
    .filter((file) => stamp[file.platform] === digestOf(file.platform) && existsSync(path.join(directory, file.name)))
    .map((file) => file.platform);
}

/** Takes a finished executable into the manifest. Readers see the old manifest or the new one. */
export async function recordPackage(
  directory: string,
  platform: string,
  name: string,
  about: {
    readonly version: string;
    readonly commit: string | undefined;
    /** Of all that it is made of. */
    readonly digest: string;
  },
): Promise<PackageFile> {
  const file = path.join(directory, name);
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const entry: PackageFile = { platform, name, size: statSync(file).size, sha256: hash.digest('hex') };
  const others = (readManifest(directory)?.files ?? []).filter((other) => other.platform !== platform);
  const manifest: PackageManifest = {
    version: about.version,
    ...(about.commit === undefined ? {} : { commit: about.commit }),
    files: [...others, entry].sort((a, b) => (a.platform < b.platform ? -1 : 1)),
  };
  const stampFile = path.join(directory, stampName);
  writeJson(path.join(directory, manifestName), manifest);
  writeJson(stampFile, { ...readJson<Record<string, string>>(stampFile), [platform]: about.digest });
  return entry;
}

function readManifest(directory: string): PackageManifest | undefined {
  return readJson<PackageManifest>(path.join(directory, manifestName));
}

function readJson<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined;
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}
