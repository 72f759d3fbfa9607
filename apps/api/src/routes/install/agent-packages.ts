import { createReadStream, type ReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { LoamError } from '@loam/base';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';

/** `manifest.json` beside the packages, as `npm run package` writes it (tools/package/manifest.ts). */
const Manifest = Type.Object({
  version: Type.String(),
  files: Type.Array(
    Type.Object({
      platform: Type.String(),
      // No path: the name goes into one, and into scripts.
      name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$' }),
      size: Type.Integer({ minimum: 0 }),
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    }),
  ),
});

export type AgentPackage = Static<typeof Manifest>['files'][number];

export interface AgentPackages {
  readonly version: string;
  /** Only those whose file is there, whole. */
  readonly files: readonly AgentPackage[];
}

/** What there is now; it is read anew each time, since packages are built while the API runs. Throws `api.packages-missing`. */
export async function readAgentPackages(directory: string): Promise<AgentPackages> {
  const manifest = parse(await readManifest(join(directory, 'manifest.json')));
  const isThere = await Promise.all(
    manifest.files.map(async ({ name, size }) => {
      const found = await stat(join(directory, name)).catch(() => undefined);
      return found?.isFile() === true && found.size === size;
    }),
  );
  const files = manifest.files.filter((_file, index) => isThere[index]);
  if (files.length === 0) throw missing('the files that its manifest names are not there');
  return { version: manifest.version, files };
}

/** The bytes of a package, from `start` up to and with `end`. */
export function streamAgentPackage(
  directory: string,
  { name }: AgentPackage,
  range?: { start: number; end: number },
): ReadStream {
  return createReadStream(join(directory, name), range);
}

async function readManifest(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw missing('they were not built', cause);
  }
}

function parse(text: string): Static<typeof Manifest> {
  try {
    const value: unknown = JSON.parse(text);
    if (Value.Check(Manifest, value)) return value;
  } catch (cause) {
    throw missing('their manifest is no JSON', cause);
  }
  throw missing('their manifest is not in the form that this version knows');
}

function missing(reason: string, cause?: unknown): LoamError {
  return LoamError.of('api.packages-missing', { reason }, { cause });
}
