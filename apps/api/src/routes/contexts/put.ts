import { LoamError } from '@loam/base';
import { ContextManifest, ContextReceipt, type ContextEntryBody } from '@loam/contracts';

import type { Route } from '../app.ts';

export const putContext: Route = (app, { services }) => {
  app.post(
    '/api/v1/contexts',
    {
      bodyLimit: services.limits.jsonBytes,
      schema: {
        tags: ['contexts'],
        summary: 'Announce the files of a project',
        description: 'Answers with the digest to submit builds with, and which blobs have to be uploaded first.',
        body: ContextManifest,
        response: { 200: ContextReceipt },
      },
    },
    async ({ body }) => {
      const entries = canonicalEntries(body.entries);
      const digest = await services.blobs.putBytes(Buffer.from(JSON.stringify({ entries })));
      const blobs = [...new Set(entries.flatMap((entry) => (entry.kind === 'file' ? [entry.digest] : [])))];
      const now = services.clock.now();
      await services.db.contexts.put({ digest, entries: entries.length, blobs, createdAt: now, lastUsedAt: now });
      const missing = await services.db.contexts.missing(digest, now);
      return { digest, missing: missing ?? blobs };
    },
  );
};

/** The same project has the same digest, in whatever order its files were named and its fields written. */
function canonicalEntries(entries: readonly ContextEntryBody[]): ContextEntryBody[] {
  const sorted = entries.map(canonicalEntry).sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  sorted.forEach((entry, i) => {
    const { path } = entry;
    if (path === sorted[i + 1]?.path) throw bad(`"${path}" is there twice`);
    if (path === '' ? entry.kind !== 'directory' : !isRelative(path)) throw bad(`"${path}" is no relative path`);
  });
  return sorted;
}

function canonicalEntry(entry: ContextEntryBody): ContextEntryBody {
  switch (entry.kind) {
    case 'file': {
      const { kind, path, mode, sizeBytes, digest } = entry;
      return { kind, path, mode, sizeBytes, digest };
    }
    case 'directory': {
      const { kind, path, mode } = entry;
      return { kind, path, mode };
    }
    case 'symlink': {
      const { kind, path, target } = entry;
      return { kind, path, target };
    }
  }
}

function isRelative(path: string): boolean {
  return !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function bad(reason: string): LoamError {
  return LoamError.of('api.bad-context', { reason });
}
