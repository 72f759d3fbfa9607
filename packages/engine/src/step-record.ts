import { createHash } from 'node:crypto';

import { formatPlatform, type Network, type Platform, type User } from '@loam/backend';
import type { ContextEntry } from '@loam/context';
import type { Digest, StepId } from '@loam/base';

/**
 * The inputs of a step. Whatever stands in these records changes a step's id, and nothing else does: not the clock, not
 * resource limits, not a secret's value, not a tag. Changing a field, its meaning or its order in a list makes every
 * step of every farm a miss, so it goes with a new `format`.
 *
 * A record is stored with its step: comparing two answers "why was this built again?".
 */
export type StepRecord = FromRecord | RunRecord | CopyContextRecord | CopyBuildRecord;

/** The version of these records. */
export const stepRecordFormat = 1;

interface RecordBase {
  readonly format: typeof stepRecordFormat;
  /** `os/arch`, and on Windows the image's OS build: `windows/amd64:10.0.20348.2700`. */
  readonly platform: string;
}

/** A base image. */
export interface FromRecord extends RecordBase {
  readonly kind: 'from';
  /** Of the platform's manifest, whatever tag led to it. */
  readonly digest: Digest;
}

/** The record of a base image. */
export function fromRecordOf(image: { readonly digest: Digest; readonly platform: Platform }): FromRecord {
  return { format: stepRecordFormat, platform: formatPlatform(image.platform), kind: 'from', digest: image.digest };
}

/** A command. */
export interface RunRecord extends RecordBase {
  readonly kind: 'run';
  readonly parent: StepId;
  readonly command: string;
  /** The command becomes its last argument. */
  readonly shell: readonly string[];
  readonly workdir: string;
  readonly user: User;
  /** The effective environment: one entry per name, in the order in which names first appeared. */
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly network: Network;
  /** Which caches are mounted where; how they are shared does not matter to the result. */
  readonly caches: readonly { readonly id: string; readonly target: string }[];
  /** Which secrets are mounted where; never their values. */
  readonly secrets: readonly { readonly id: string; readonly target: string }[];
}

/** Files of the project. */
export interface CopyContextRecord extends RecordBase {
  readonly kind: 'copy-context';
  readonly parent: StepId;
  /** Absolute, with a final `/` when items go into it rather than become it. */
  readonly destination: string;
  readonly user: User;
  /** Per source, in the order written, as far as it can be told from another: sorted by path. */
  readonly items: readonly { readonly path: string; readonly entries: readonly ContextEntry[] }[];
}

/** Files of another build. */
export interface CopyBuildRecord extends RecordBase {
  readonly kind: 'copy-build';
  readonly parent: StepId;
  /** The last step of the build that is copied from. */
  readonly from: StepId;
  readonly sources: readonly string[];
  readonly excludes: readonly string[];
  readonly destination: string;
  readonly user: User;
}

/** What of a project's entry stands in a record: a manifest may come to carry more than that. */
export function recordedEntry(entry: ContextEntry): ContextEntry {
  const { path } = entry;
  switch (entry.kind) {
    case 'file':
      return { kind: 'file', path, sizeBytes: entry.sizeBytes, mode: entry.mode, digest: entry.digest };
    case 'directory':
      return { kind: 'directory', path };
    case 'symlink':
      return { kind: 'symlink', path, target: entry.target };
  }
}

/** SHA-256 of the record's canonical JSON. */
export function stepId(record: StepRecord): StepId {
  return createHash('sha256').update(canonicalJson(record)).digest('hex') as StepId;
}

/** JSON without layout and with the names of every object in code-unit order, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
