import { createHash } from 'node:crypto';

import type { Platform, SnapshotName, TreeEntry } from '@loam/backend';
import {
  linuxImageTree,
  MemoryFetcher,
  MemorySandbox,
  MemoryStore,
  type FileTree,
  type MemoryImage,
  type MemoryStoreOptions,
  type Program,
} from '@loam/backend/memory';
import { systemClock, type Clock, type Digest } from '@loam/base';
import { manifestContext, type ContextEntry, type ContextSource } from '@loam/context';
import { parseSpec, type Spec } from '@loam/spec';

import type { BuildEvent, BuildOutcome, BuildRequest, Engine, StepEnded } from './index.ts';
import { createEngine, memoryLogSpool, type LogSpool } from './index.ts';

export const platform: Platform = { os: 'linux', architecture: 'amd64' };

export interface WorldOptions {
  readonly program?: Program;
  readonly onCall?: NonNullable<MemoryStoreOptions['onCall']>;
  readonly onFetch?: (method: 'resolve' | 'fetch', name: string) => Promise<void> | void;
  readonly clock?: Clock;
  readonly logs?: LogSpool;
  readonly base?: FileTree;
  readonly config?: NonNullable<MemoryImage['config']>;
  readonly platform?: Platform;
}

export interface Built {
  readonly outcome: BuildOutcome;
  readonly events: readonly BuildEvent[];
  /** `POSITION OUTCOME` of each step, in the order in which they ended. */
  readonly ended: readonly string[];
  readonly end: (position: string) => StepEnded | undefined;
  readonly log: (position: string) => string;
}

export interface World {
  readonly engine: Engine;
  readonly store: MemoryStore;
  readonly sandbox: MemorySandbox;
  readonly fetcher: MemoryFetcher;
  readonly images: Map<string, MemoryImage>;
  readonly logs: LogSpool;
  build(spec: string, options?: BuildSettings): Promise<Built>;
  /** Lines such as `1000:1000 644 path`, with what a file holds or a link points at. */
  list(snapshot: SnapshotName, path?: string): Promise<string[]>;
  text(snapshot: SnapshotName, path: string): Promise<string | undefined>;
  /** What must be empty when nothing is under way. */
  leftovers(): string[];
}

export interface BuildSettings extends Partial<Omit<BuildRequest, 'spec'>> {
  readonly files?: Record<string, string>;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: BuildEvent) => void;
}

/** An engine on the in-memory ports, with a base image `base` that has a shell and users. */
export function makeWorld(options: WorldOptions = {}): World {
  const clock = options.clock ?? systemClock;
  const store = new MemoryStore({ clock, ...(options.onCall ? { onCall: options.onCall } : {}) });
  const sandbox = new MemorySandbox({ store, clock, ...(options.program ? { program: options.program } : {}) });
  const tree = options.base ?? linuxImageTree();
  const imagePlatform = options.platform ?? platform;
  const images = new Map<string, MemoryImage>([
    ['docker.io/library/base:latest', { tree, platform: imagePlatform, config: options.config ?? {} }],
  ]);
  const fetcher = new MemoryFetcher({ store, clock, images, ...(options.onFetch ? { onCall: options.onFetch } : {}) });
  const logs = options.logs ?? memoryLogSpool();
  const engine = createEngine({ store, sandbox, fetcher, platform: imagePlatform, clock, logs });
  return {
    engine,
    store,
    sandbox,
    fetcher,
    images,
    logs,
    build: (text, settings = {}) => build(engine, text, settings),
    list: (snapshot, path = '') => listTree(store, snapshot, path),
    text: async (snapshot, path) => {
      const reader = await store.tree(snapshot);
      const { entry } = await reader.resolve(path);
      await reader.close();
      return entry?.kind === 'file' ? readText(entry) : undefined;
    },
    leftovers: () => [...store.leftovers(), ...sandbox.leftovers()],
  };
}

async function build(engine: Engine, text: string, settings: BuildSettings): Promise<Built> {
  const { files = {}, signal = new AbortController().signal, onEvent, ...request } = settings;
  const events: BuildEvent[] = [];
  const outcome = await engine.build(
    { spec: specOf(text), context: filesContext(files), secrets: new Map(), limits: {}, owner: 'test', ...request },
    (event) => {
      events.push(event);
      onEvent?.(event);
    },
    signal,
  );
  const ends = events.filter((event) => event.type === 'step-ended');
  return {
    outcome,
    events,
    ended: ends.map((event) => `${event.position} ${event.outcome}`),
    end: (position) => ends.find((event) => event.position === position),
    log: (position) => logOf(events, position),
  };
}

/** The log of a step as its events told it; throws when they have a gap or an overlap. */
export function logOf(events: readonly BuildEvent[], position: string): string {
  let text = Buffer.alloc(0);
  for (const event of events) {
    if (event.type !== 'step-log' || event.position !== position) continue;
    if (event.offset !== text.length) throw new Error(`log at ${event.offset} where ${text.length} was due`);
    text = Buffer.concat([text, event.bytes]);
  }
  return text.toString();
}

export function specOf(text: string): Spec {
  const { spec, diagnostics } = parseSpec(text);
  if (!spec) throw new Error(JSON.stringify(diagnostics));
  return spec;
}

/** A project in memory. `name*` is executable, `name@` a link to its text, `name/` an empty directory. */
export function filesContext(files: Record<string, string>): ContextSource {
  const entries = new Map<string, ContextEntry>();
  const contents = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(files)) {
    const path = key.replace(/[*@/]$/, '');
    const names = path.split('/');
    for (let depth = 1; depth < names.length; depth += 1) {
      const parent = names.slice(0, depth).join('/');
      entries.set(parent, { kind: 'directory', path: parent });
    }
    const bytes = new TextEncoder().encode(text);
    if (key.endsWith('@')) entries.set(path, { kind: 'symlink', path, target: text });
    else if (key.endsWith('/')) entries.set(path, { kind: 'directory', path });
    else {
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
      const mode = key.endsWith('*') ? 0o755 : 0o644;
      entries.set(path, { kind: 'file', path, sizeBytes: bytes.length, mode, digest });
      contents.set(path, bytes);
    }
  }
  return manifestContext([...entries.values()], async function* (file) {
    await Promise.resolve();
    const bytes = contents.get(file.path);
    if (bytes && bytes.length > 0) yield bytes;
  });
}

async function listTree(store: MemoryStore, snapshot: SnapshotName, path: string): Promise<string[]> {
  const reader = await store.tree(snapshot);
  const lines: string[] = [];
  for await (const entry of reader.walk(path)) {
    const owner = `${entry.uid}:${entry.gid} ${entry.mode.toString(8)} ${entry.path}`;
    if (entry.kind === 'file') lines.push(`${owner} = ${await readText(entry)}`);
    else if (entry.kind === 'symlink') lines.push(`${owner} -> ${entry.target}`);
    else if (entry.kind === 'hardlink') lines.push(`${owner} == ${entry.target}`);
    else lines.push(`${owner}/`);
  }
  await reader.close();
  return lines;
}

async function readText(entry: Extract<TreeEntry, { kind: 'file' }>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const bytes of entry.open()) parts.push(bytes);
  return Buffer.concat(parts).toString();
}

/** A promise to be settled by hand. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
