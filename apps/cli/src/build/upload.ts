import { isLoamError } from '@loam/base';
import { contextManifest, type ContextEntry, type ContextFile, type ContextSource } from '@loam/context';
import type { Client, ContextEntryBody, ContextManifest } from '@loam/contracts';
import type { CopyOp, Spec } from '@loam/spec';

/** The manifest that a spec needs, and the file behind each digest. */
export interface SpecContext {
  readonly manifest: ContextManifest;
  readonly files: ReadonlyMap<string, ContextFile>;
}

/** Looks at the files that the spec's copies name, and at nothing else of the project. */
export async function readContext(spec: Spec, source: ContextSource): Promise<SpecContext> {
  const queries = copiesFromContext(spec).map((copy) => ({ sources: copy.src, excludes: copy.exclude }));
  const entries = await contextManifest(source, queries);
  const files = new Map<string, ContextFile>();
  for (const entry of entries) if (entry.kind === 'file') files.set(entry.digest, entry);
  return { manifest: { entries: entries.map(toBody) }, files };
}

/** Every `copy` from the context, those of nested builds included. */
export function copiesFromContext(spec: Spec): CopyOp[] {
  return [
    ...spec.builds.flatMap((build) => copiesFromContext(build.spec)),
    ...spec.ops.filter((op): op is CopyOp => op.kind === 'copy' && op.from.kind === 'context'),
  ];
}

function toBody(entry: ContextEntry): ContextEntryBody {
  switch (entry.kind) {
    case 'file':
      return { kind: 'file', path: entry.path, mode: entry.mode, sizeBytes: entry.sizeBytes, digest: entry.digest };
    case 'directory':
      return { kind: 'directory', path: entry.path, mode: 0o755 };
    default:
      return { kind: 'symlink', path: entry.path, target: entry.target };
  }
}

export interface UploadProgress {
  readonly blobs: number;
  readonly bytes: number;
}

const parallel = 8;
const attemptsMax = 3;
/** Files up to this size are sent in one piece, larger ones as a stream. */
const wholeBytesMax = 1024 * 1024;

/** Sends the blobs that the farm lacks, several at a time, and tells after each how much has been sent. */
export async function uploadBlobs(
  client: Client,
  source: ContextSource,
  files: readonly ContextFile[],
  onProgress: (sent: UploadProgress) => void,
): Promise<void> {
  const queue = [...files];
  let blobs = 0;
  let bytes = 0;
  async function work(): Promise<void> {
    for (let file = queue.pop(); file; file = queue.pop()) {
      await uploadBlob(client, source, file);
      blobs++;
      bytes += file.sizeBytes;
      onProgress({ blobs, bytes });
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallel, files.length) }, work));
}

async function uploadBlob(client: Client, source: ContextSource, file: ContextFile): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const content = ReadableStream.from(source.open(file)) as ReadableStream<Uint8Array>;
      const body = file.sizeBytes <= wholeBytesMax ? await new Response(content).bytes() : content;
      await client.putBlob(file.digest, body, file.sizeBytes);
      return;
    } catch (error) {
      if (attempt >= attemptsMax || !isLoamError(error, 'cli.api-unreachable')) throw error;
    }
  }
}
