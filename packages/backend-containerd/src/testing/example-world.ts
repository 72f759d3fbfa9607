import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { systemClock } from '@loam/base';
import { baseLayer, runProgram } from '@loam/containerd-model';
import { openLocalContext } from '@loam/context';
import { createEngine, memoryLogSpool, type BuildEvent, type Engine } from '@loam/engine';
import { checkSpec, type Spec } from '@loam/spec';

import { openModelBackend, windowsPlatform } from './model-backend.ts';
import { exampleStandIns } from './stand-ins.ts';
import { dockerSave, makeImage } from './test-images.ts';

const examples = fileURLToPath(new URL('../../../../examples/windows/', import.meta.url));

/** A base image as the model needs it: what the programs of the example look for. */
export interface ExampleImage {
  readonly name: string;
  /** Beside what every image has. */
  readonly programs?: readonly string[];
  /** Of the image's configuration; on Windows most images have theirs in the registry, which the model does not know. */
  readonly env?: readonly (readonly [name: string, value: string])[];
  readonly user?: string;
}

/** One process that was started for a `run`. */
export interface StartedProcess {
  readonly commandLine: string;
  readonly cwd: string;
  readonly user: string;
  readonly hasNetwork: boolean;
  readonly env: ReadonlyMap<string, string>;
}

/** An example on a model of Windows: its files in a directory of their own, to be edited. */
export interface ExampleWorld {
  readonly spec: Spec;
  /** Codes of what `loam spec check` says. */
  readonly complaints: readonly string[];
  readonly project: string;
  readonly started: StartedProcess[];
  /** `POSITION STATE` of each step, as `loam-agent plan` tells it. */
  plan(): Promise<string[]>;
  build(): Promise<{ ran: string[]; log: string; snapshot: string }>;
  textIn(snapshot: string, path: string): string | undefined;
  leftovers(): Promise<string[]>;
  close(): Promise<void>;
}

export interface ExampleOptions {
  /** Makes the context; without it, it is the directory of the spec. */
  readonly makeProject?: (directory: string) => Promise<void>;
  /** Of the host: 20348 unless given. The images are of 20348. */
  readonly hostBuild?: number;
}

/** `file` is the spec, below `examples/windows`. */
export async function openExample(
  file: string,
  images: readonly ExampleImage[],
  { makeProject, hostBuild = 20348 }: ExampleOptions = {},
): Promise<ExampleWorld> {
  const started: StartedProcess[] = [];
  const test = await openModelBackend({
    driver: { hostVersion: `10.0.${hostBuild}` },
    model: {
      host: { build: hostBuild },
      program(context) {
        const { commandLine, cwd, user, hasNetwork, env } = context;
        if (commandLine.startsWith('cmd /S /C ')) started.push({ commandLine, cwd, user, hasNetwork, env });
        return runProgram(context, exampleStandIns);
      },
    },
  });
  for (const image of images) await importImage(image);
  const directory = await mkdtemp(join(tmpdir(), 'loam-example-'));
  const project = join(directory, 'project');
  if (makeProject) await makeProject(project);
  else await cp(join(examples, file, '..'), project, { recursive: true });
  const { spec, diagnostics } = checkSpec(await readFile(join(examples, file)));
  if (!spec) throw new Error(JSON.stringify(diagnostics));
  const engine = openEngine();

  async function importImage({ name, programs = [], env = [], user }: ExampleImage): Promise<void> {
    const files = Object.fromEntries(programs.map((path) => [path, 'MZ']));
    const made = await makeImage({
      layers: [{}],
      layerTar: () => baseLayer({ files }),
      os: 'windows',
      architecture: 'amd64',
      osVersion: windowsPlatform.osVersion ?? '',
      config: { env: [...env], user, workdir: undefined, shell: undefined },
    });
    await test.backend.fetcher.importArchive(dockerSave(made, name), {});
  }

  function openEngine(): Engine {
    const { store, sandbox, fetcher } = test.backend;
    const platform = { os: 'windows', architecture: 'amd64' } as const;
    return createEngine({ store, sandbox, fetcher, platform, clock: systemClock, logs: memoryLogSpool() });
  }

  const context = (): ReturnType<typeof openLocalContext> =>
    openLocalContext(project, { indexFile: join(directory, 'index'), clock: systemClock });

  return {
    spec,
    complaints: diagnostics.map(({ code }) => code),
    project,
    started,
    async plan() {
      const { steps } = await engine.plan(spec, { context: context() });
      return steps.map(({ position, state }) => `${position} ${state}`);
    },
    async build() {
      const events: BuildEvent[] = [];
      const outcome = await engine.build(
        { spec, context: context(), secrets: new Map(), limits: {}, owner: 'example' },
        (event) => void events.push(event),
        new AbortController().signal,
      );
      const log = events
        .map((event) => (event.type === 'step-log' ? `${event.position}: ${Buffer.from(event.bytes).toString()}` : ''))
        .join('');
      if (outcome.kind !== 'succeeded') throw new Error(`${JSON.stringify(outcome)}\n${log}`);
      const ran = events.flatMap((event) =>
        event.type === 'step-ended' && !['hit', 'skipped'].includes(event.outcome) ? [event.position] : [],
      );
      return { ran, log, snapshot: outcome.snapshot };
    },
    textIn: (snapshot, path) => test.model.textIn('loam', snapshot, path),
    async leftovers() {
      await engine.idle();
      return test.leftovers();
    },
    async close() {
      await test.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
