import {
  formatPlatform,
  type Fetcher,
  type Platform,
  type ResolvedImage,
  type SnapshotName,
  type Store,
} from '@loam/backend';
import { toLoamError, type StepId } from '@loam/base';
import type { ContextItem, ContextSource } from '@loam/context';
import type { CopyOp, RunOp } from '@loam/spec';

import type { StepPlace } from './events.ts';
import { rulesFor } from './platform/rules-for.ts';
import type { Destination, PlatformRules } from './platform/rules.ts';
import type { Stage, StageStep } from './stage.ts';
import { blame, StepError } from './step-error.ts';
import { driveProblem, networkOf } from './step-options.ts';
import { fromRecordOf, recordedEntry, stepId, stepRecordFormat, type StepRecord } from './step-record.ts';
import { initialState, nextState, type StepState } from './step-state.ts';

interface ResolvedBase {
  readonly place: StepPlace;
  readonly id: StepId;
  readonly parentId: StepId;
  readonly record: StepRecord;
  readonly state: StepState;
  /** The base image's, with its OS build on Windows. */
  readonly platform: Platform;
}
export interface ResolvedRun extends ResolvedBase {
  readonly kind: 'run';
  readonly op: RunOp;
  readonly shell: readonly string[];
}
export interface ResolvedCopy extends ResolvedBase {
  readonly kind: 'copy';
  readonly op: CopyOp;
  readonly destination: Destination;
  /** From the project: what is copied. */
  readonly items?: readonly ContextItem[];
  /** From a nested build: which. */
  readonly source?: Stage;
}
/** A step whose id is known, and all that is needed to execute it. */
export type ResolvedStep = ResolvedRun | ResolvedCopy;

/** Why the steps from `place` on have no id yet. */
export interface Unresolved {
  readonly place: StepPlace;
  readonly reason: string;
  /** The base image is not here, so none of them can have been built. */
  readonly certainMiss: boolean;
}

export interface ResolvedStage {
  readonly image: ResolvedImage;
  readonly fromId: StepId;
  readonly fromRecord: StepRecord;
  readonly steps: readonly ResolvedStep[];
  /** Only in plans: a build waits for what it needs, or fails. */
  readonly unresolved?: Unresolved;
}

/** The last step's id: what a copy from the stage depends on. Undefined when it could not be resolved. */
export function finalId(stage: ResolvedStage): StepId | undefined {
  return stage.unresolved ? undefined : (stage.steps.at(-1)?.id ?? stage.fromId);
}

/**
 * Which shell was found for each question: an image's digest and the shells that were looked for. Looking means mounting the
 * image, and an image never changes, so an agent remembers the answer for good.
 */
export interface ShellMemory {
  get(question: string): readonly string[] | undefined;
  set(question: string, shell: readonly string[]): void;
}

export interface ResolverOptions {
  readonly store: Store;
  readonly fetcher: Fetcher;
  readonly platform: Platform;
  readonly shells: ShellMemory;
  readonly context: ContextSource | undefined;
  readonly refresh: boolean;
  readonly signal: AbortSignal;
  /** The base image's snapshot, fetched if need be; undefined when it is not here and must not be fetched. */
  readonly base: (stage: Stage, image: ResolvedImage) => Promise<SnapshotName | undefined>;
  /** In a plan a missing input is a reason, in a build it is an error. */
  readonly lenient: boolean;
}

/**
 * Computes step ids. They depend on inputs alone and never on having run anything, so all ids of a spec are known before
 * its first step runs, and one round of look-ups tells what is a hit.
 */
export class StepResolver {
  readonly #options: ResolverOptions;
  readonly #stages = new Map<Stage, Promise<ResolvedStage>>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** A stage that has been resolved, or is being; undefined when nobody asked for it. */
  known(stage: Stage): Promise<ResolvedStage> | undefined {
    return this.#stages.get(stage);
  }

  /** Resolves a stage once. Rejects with a `StepError`. */
  resolve(stage: Stage): Promise<ResolvedStage> {
    let resolving = this.#stages.get(stage);
    if (!resolving) {
      resolving = this.#resolve(stage);
      // Somebody asks for it later, or nobody needs it any more.
      resolving.catch(() => undefined);
      this.#stages.set(stage, resolving);
    }
    return resolving;
  }

  async #resolve(stage: Stage): Promise<ResolvedStage> {
    const { fetcher, platform, refresh, signal, lenient } = this.#options;
    const items = this.#queryContext(stage);
    for (const { op } of stage.steps) {
      const source = op.kind === 'copy' && op.from.kind === 'build' ? stage.scope.get(op.from.name) : undefined;
      if (source) void this.resolve(source);
    }
    const image = await blame(stage.from, () => fetcher.resolve(stage.spec.from, platform, { refresh, signal }));
    const rules = rulesFor(image.platform);
    const base = { format: stepRecordFormat, platform: formatPlatform(image.platform) } as const;
    const fromRecord = fromRecordOf(image);
    const fromId = stepId(fromRecord);
    const steps: ResolvedStep[] = [];
    let state = initialState(image.config, rules);
    const pending = [...stage.steps];
    for (const op of stage.spec.ops) {
      state = await blame(pending[0]?.place ?? stage.from, () => nextState(state, op, rules));
      if (op.kind !== 'run' && op.kind !== 'copy') continue;
      const step = pending.shift() as StageStep;
      const parentId = steps.at(-1)?.id ?? fromId;
      const common = { place: step.place, parentId, state, platform: image.platform };
      try {
        const resolved = await blame<ResolvedStep | Unresolved>(step.place, () =>
          op.kind === 'run'
            ? this.#resolveRun(stage, image, op, common, base, rules)
            : this.#resolveCopy(stage, op, common, base, rules, items),
        );
        if ('reason' in resolved) return { image, fromId, fromRecord, steps, unresolved: resolved };
        steps.push(resolved);
      } catch (error) {
        if (!lenient || signal.aborted) throw error;
        const reason = toLoamError(error instanceof Error ? (error.cause ?? error) : error).message;
        return { image, fromId, fromRecord, steps, unresolved: { place: step.place, reason, certainMiss: false } };
      }
    }
    return { image, fromId, fromRecord, steps };
  }

  /** Starts hashing before anything else is known; the results are asked for when their step is reached. */
  #queryContext(stage: Stage): Map<CopyOp, Promise<ContextItem[]>> {
    const { context, signal } = this.#options;
    const queries = new Map<CopyOp, Promise<ContextItem[]>>();
    for (const { op } of stage.steps) {
      if (op.kind !== 'copy' || op.from.kind !== 'context' || !context) continue;
      const query = context.query({ sources: op.src, excludes: op.exclude }, signal);
      query.catch(() => undefined);
      queries.set(op, query);
    }
    return queries;
  }

  async #resolveRun(
    stage: Stage,
    image: ResolvedImage,
    op: RunOp,
    common: Omit<ResolvedBase, 'id' | 'record'>,
    base: { format: typeof stepRecordFormat; platform: string },
    rules: PlatformRules,
  ): Promise<ResolvedRun | Unresolved> {
    const { state, parentId, place } = common;
    const shell = state.shell ?? (await this.#defaultShell(stage, image, rules));
    if (!shell) {
      const reason = 'the base image is not on this agent, and which shell it has is not known';
      return { place, reason, certainMiss: true };
    }
    const mounts = (list: RunOp['cache']): { id: string; target: string }[] =>
      list.map(({ id, target }) => ({ id, target: rules.absolute(state.workdir, target) }));
    const record: StepRecord = {
      ...base,
      kind: 'run',
      parent: parentId,
      command: op.shell,
      shell,
      workdir: state.workdir,
      user: state.user,
      env: state.env,
      network: networkOf(op),
      caches: mounts(op.cache),
      secrets: mounts(op.secrets),
    };
    return { kind: 'run', op, shell, record, id: stepId(record), ...common };
  }

  async #resolveCopy(
    stage: Stage,
    op: CopyOp,
    common: Omit<ResolvedBase, 'id' | 'record'>,
    base: { format: typeof stepRecordFormat; platform: string },
    rules: PlatformRules,
    queries: Map<CopyOp, Promise<ContextItem[]>>,
  ): Promise<ResolvedCopy | Unresolved> {
    const { state, parentId, place } = common;
    const elsewhere = driveProblem(op, place.position, state.workdir, rules);
    if (elsewhere) throw new StepError(place, elsewhere);
    const destination = rules.destination(state.workdir, op.dst);
    const written =
      destination.isDirectory && !/[\\/]$/.test(destination.path) ? `${destination.path}/` : destination.path;
    const shared = { ...base, parent: parentId, destination: written, user: state.user };
    if (op.from.kind === 'context') {
      const items = await queries.get(op);
      if (!items) return { place, reason: 'the project’s files are not known here', certainMiss: false };
      const recorded = items.map(({ path, entries }) => ({ path, entries: entries.map(recordedEntry) }));
      const record: StepRecord = { ...shared, kind: 'copy-context', items: recorded };
      return { kind: 'copy', op, destination, items, record, id: stepId(record), ...common };
    }
    const source = stage.scope.get(op.from.name);
    if (!source) throw new Error(`no build ${op.from.name} in scope`);
    const from = finalId(await this.resolve(source));
    if (from === undefined) {
      return { place, reason: `the steps of the build ${op.from.name} are not known`, certainMiss: false };
    }
    const record: StepRecord = { ...shared, kind: 'copy-build', from, sources: op.src, excludes: op.exclude };
    return { kind: 'copy', op, destination, source, record, id: stepId(record), ...common };
  }

  /** Looked up once per base image: which shell the platform prefers of those that the image has. */
  async #defaultShell(
    stage: Stage,
    image: ResolvedImage,
    rules: PlatformRules,
  ): Promise<readonly string[] | undefined> {
    const { shells, store, base } = this.#options;
    if (rules.shells.length === 0) return rules.fallbackShell;
    const question = `${image.digest} ${rules.shells.map(([program]) => program).join(' ')}`;
    const known = shells.get(question);
    if (known) return known;
    const name = await blame(stage.from, () => base(stage, image));
    if (name === undefined) return undefined;
    const tree = await store.tree(name);
    try {
      let shell = rules.fallbackShell;
      for (const candidate of rules.shells.toReversed()) {
        const { entry } = await tree.resolve(rules.treePath(candidate[0] ?? ''));
        if (entry?.kind === 'file') shell = candidate;
      }
      shells.set(question, shell);
      return shell;
    } finally {
      await tree.close();
    }
  }
}
