import { createHash } from 'node:crypto';

import type { Limits } from '@loam/backend';
import { systemClock, type Digest } from '@loam/base';
import { baseLayer } from '@loam/containerd-model';
import { manifestContext } from '@loam/context';
import { createEngine, memoryLogSpool, type BuildEvent, type Engine } from '@loam/engine';
import { parseSpec } from '@loam/spec';

import { openModelBackend, windowsPlatform, type ModelBackend, type ModelBackendOptions } from './model-backend.ts';
import { dockerSave, makeImage, type ImageParts } from './test-images.ts';

/** What `openModelEngine` has imported as a base image, with the user `builder`. */
export const nano = 'mcr.example.org/windows/nanoserver:ltsc2022';

export interface Built {
  readonly kind: string;
  readonly error?: unknown;
  readonly events: readonly BuildEvent[];
  /** `POSITION OUTCOME` of each step. */
  readonly ended: readonly string[];
  readonly log: string;
  readonly snapshot: string;
}

export interface BuildOptions {
  readonly files?: Record<string, string>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly limits?: Limits;
  readonly stepTimeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly onLog?: (text: string) => void;
}

/** The engine on the HCS back end on a model of Windows containerd, for one test. Not Windows. */
export interface ModelEngine {
  readonly test: ModelBackend;
  /** Of the latest life. */
  readonly engine: Engine;
  /** Goes on with the back end as it is now, after a crash. */
  reopen(): Promise<void>;
  build(spec: string, options?: BuildOptions): Promise<Built>;
  /** Ends everything and gives what was left over. */
  close(): Promise<string[]>;
}

/** The collector runs at every write, so that what nothing protects is gone at once. */
export async function openModelEngine(options: ModelBackendOptions = {}): Promise<ModelEngine> {
  const test = await openModelBackend({
    model: { mutationThreshold: 1, ...options.model },
    backend: { killGraceMs: 100, ...options.backend },
    ...(options.driver && { driver: options.driver }),
  });
  await importWindowsImage(test, nano, {});
  let engine = engineOn(test);
  return {
    test,
    get engine() {
      return engine;
    },
    async reopen() {
      await engine.idle();
      engine = engineOn(test);
    },
    build: (spec, given = {}) => build(engine, spec, given),
    async close() {
      await engine.idle();
      const left = await test.leftovers();
      await test.close();
      return left;
    },
  };
}

/** An image as `nano` is, with what is given instead. */
export async function importWindowsImage(test: ModelBackend, name: string, parts: Partial<ImageParts>): Promise<void> {
  const image = await makeImage({
    layers: [{}],
    layerTar: () => baseLayer({ users: ['builder'] }),
    os: 'windows',
    architecture: 'amd64',
    osVersion: windowsPlatform.osVersion ?? '',
    config: { env: [['Path', 'C:\\Windows\\System32']], user: 'ContainerUser', workdir: undefined, shell: undefined },
    ...parts,
  });
  await test.backend.fetcher.importArchive(dockerSave(image, name), {});
}

function engineOn({ backend: { store, sandbox, fetcher } }: ModelBackend): Engine {
  const platform = { os: 'windows', architecture: 'amd64' } as const;
  return createEngine({ store, sandbox, fetcher, platform, clock: systemClock, logs: memoryLogSpool() });
}

async function build(engine: Engine, text: string, options: BuildOptions): Promise<Built> {
  const { spec, diagnostics } = parseSpec(text);
  if (!spec) throw new Error(JSON.stringify(diagnostics));
  const events: BuildEvent[] = [];
  const log = (): string =>
    events.map((event) => (event.type === 'step-log' ? Buffer.from(event.bytes).toString() : '')).join('');
  const secrets = Object.entries(options.secrets ?? {}).map(
    ([id, value]) => [id, new TextEncoder().encode(value)] as const,
  );
  const outcome = await engine.build(
    {
      spec,
      context: filesContext(options.files ?? {}),
      secrets: new Map(secrets),
      limits: options.limits ?? {},
      ...(options.stepTimeoutMs === undefined ? {} : { stepTimeoutMs: options.stepTimeoutMs }),
      owner: 'story',
    },
    (event) => {
      events.push(event);
      options.onLog?.(log());
    },
    options.signal ?? new AbortController().signal,
  );
  return {
    kind: outcome.kind,
    ...(outcome.kind === 'failed' ? { error: outcome.error } : {}),
    events,
    ended: events.flatMap((event) => (event.type === 'step-ended' ? [`${event.position} ${event.outcome}`] : [])),
    log: log(),
    snapshot: outcome.kind === 'succeeded' ? outcome.snapshot : '',
  };
}

function filesContext(files: Record<string, string>) {
  const bytes = new Map(Object.entries(files).map(([path, text]) => [path, new TextEncoder().encode(text)]));
  const parents = Object.keys(files).flatMap((path) =>
    path
      .split('/')
      .slice(1)
      .map((_, index) =>
        path
          .split('/')
          .slice(0, index + 1)
          .join('/'),
      ),
  );
  const directories = [...new Set(parents)].map((path) => ({ kind: 'directory' as const, path }));
  const entries = [...bytes].map(([path, content]) => ({
    kind: 'file' as const,
    path,
    sizeBytes: content.length,
    mode: 0o644,
    digest: `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest,
  }));
  return manifestContext([...directories, ...entries], async function* (file) {
    yield bytes.get(file.path) ?? new Uint8Array();
  });
}
