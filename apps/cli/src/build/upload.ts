import { isLoamError } from '@loam/base';
import { contextManifest, type ContextEntry, type ContextFile, type ContextSource } from '@loam/context';
import { batchedBlobBytesMax, type Client, type ContextEntryBody, type ContextManifest } from '@loam/contracts';
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
/** Small files travel together, so many bytes at a time; a first request of that size tells early how it goes. */
const batchBytes = 2 * 1024 * 1024;
const batchFilesMax = 500;

/** Sends the blobs that the farm lacks, several at a time, and tells after each request how much has been sent. */
export async function uploadBlobs(
  client: Client,
  source: ContextSource,
  files: readonly ContextFile[],
  onProgress: (sent: UploadProgress) => void,
): Promise<void> {
  const queue = inBatches(files);
  let blobs = 0;
  let bytes = 0;
  async function work(): Promise<void> {
    for (let batch = queue.shift(); batch; batch = queue.shift()) {
      await sendAgainIfLost(() => upload(client, source, batch));
      blobs += batch.length;
      bytes += sizeOf(batch);
      onProgress({ blobs, bytes });
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallel, queue.length) }, work));
}

/** Small files together, the others each alone. */
function inBatches(files: readonly ContextFile[]): ContextFile[][] {
  const [small, large] = [true, false].map((isSmall) =>
    files.filter((file) => file.sizeBytes <= batchedBlobBytesMax === isSmall),
  ) as [ContextFile[], ContextFile[]];
  const batches: ContextFile[][] = [];
  let size = 0;
  for (const file of small) {
    const last = batches.at(-1);
    if (last === undefined || last.length >= batchFilesMax || size + file.sizeBytes > batchBytes) {
      batches.push([file]);
      size = file.sizeBytes;
    } else {
      last.push(file);
      size += file.sizeBytes;
    }
  }
  return [...batches, ...large.map((file) => [file])];
}

function sizeOf(files: readonly ContextFile[]): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}

async function upload(client: Client, source: ContextSource, batch: readonly ContextFile[]): Promise<void> {
  const [only] = batch;
  if (batch.length === 1 && only !== undefined) {
    const content = ReadableStream.from(source.open(only)) as ReadableStream<Uint8Array>;
    const body = only.sizeBytes <= wholeBytesMax ? await new Response(content).bytes() : content;
    await client.putBlob(only.digest, body, only.sizeBytes);
    return;
  }
  const blobs: { digest: string; bytes: Uint8Array }[] = [];
  for (const file of batch) {
    const bytes = await readWhole(source, file);
    // It has grown since it was hashed: sent alone it is refused by its name.
    if (bytes.length > batchedBlobBytesMax) await client.putBlob(file.digest, bytes, file.sizeBytes);
    else blobs.push({ digest: file.digest, bytes });
  }
  await client.putBlobs(blobs);
}

async function readWhole(source: ContextSource, file: ContextFile): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source.open(file)) parts.push(part);
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** Without a pause: a farm that stays away fails the upload. */
async function sendAgainIfLost(send: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await send();
      return;
    } catch (error) {
      if (attempt >= attemptsMax || !isLoamError(error, 'cli.api-unreachable')) throw error;
    }
  }
}
