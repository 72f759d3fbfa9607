import type { ResolvedImage, SnapshotName } from '@loam/backend';
import { cancelled, LoamError, toLoamError, type StepId } from '@loam/base';

import type { BuildOutcome, BuildRequest } from './api.ts';
import { baseSize, bringBase, type BaseImage } from './base-image.ts';
import { copyStep } from './copy-step.ts';
import type { EngineParts } from './engine-parts.ts';
import type { BuildEvent, StepPlace } from './events.ts';
import type { StepCode } from './executions.ts';
import { rulesFor } from './platform/rules-for.ts';
import { missingSecret, runStep } from './run-step.ts';
import { SharedLease } from './shared-lease.ts';
import { stagesInOrder, stagesOf, type Stage } from './stage.ts';
import { StepError } from './step-error.ts';
import { checkStages } from './step-options.ts';
import { StepReporter } from './step-reporter.ts';
import { finalId, StepResolver, type ResolvedCopy, type ResolvedStage, type ResolvedStep } from './step-resolver.ts';

interface StageResult {
  readonly stepId: StepId;
  readonly snapshot: SnapshotName;
}

/** One build from its spec to its outcome. */
export class BuildSession {
  readonly #parts: EngineParts;
  readonly #request: BuildRequest;
  readonly #emit: (event: BuildEvent) => void;
  readonly #lease: SharedLease;
  readonly #pins: ReturnType<EngineParts['pins']['open']>;
  /** Ends all of the build: cancelled, out of time, or one of its steps has failed. */
  readonly #stop = new AbortController();
  readonly #resolver: StepResolver;
  readonly #reporters = new Map<StepPlace, StepReporter>();
  readonly #stages = new Map<Stage, Promise<StageResult>>();
  readonly #bases = new Map<Stage, Promise<BaseImage>>();
  #failure: { readonly error: LoamError; readonly position: string } | undefined;
  /** Where the build was last, to say where its time ran out. */
  #position = '';

  constructor(parts: EngineParts, request: BuildRequest, onEvent: (event: BuildEvent) => void) {
    this.#parts = parts;
    this.#request = request;
    this.#emit = onEvent;
    this.#lease = new SharedLease(parts.store, request.owner);
    this.#pins = parts.pins.open();
    this.#resolver = new StepResolver({
      store: parts.store,
      fetcher: parts.fetcher,
      platform: parts.platform,
      shells: parts.shells,
      context: request.context,
      refresh: request.refresh ?? false,
      signal: this.#stop.signal,
      base: async (stage, image) => (await this.#base(stage, image)).snapshot,
      lenient: false,
    });
  }

  async run(signal: AbortSignal): Promise<BuildOutcome> {
    const onAbort = (): void => this.#stop.abort(cancelled());
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    const cancelTimer = this.#startTimer();
    try {
      const root = stagesOf(this.#request.spec);
      const result = await this.#guard(root, async () => {
        checkStages(root, rulesFor(this.#parts.platform));
        return this.#ensure(root);
      });
      // Stages that were under way when another failed end before the build does.
      while (this.#pending().length > 0) await Promise.allSettled(this.#pending());
      for (const reporter of this.#reporters.values()) reporter.cancelIfOpen();
      if (result && !this.#failure) await this.#guard(root, () => this.#tellUnneeded(root));
      if (this.#failure) return { kind: 'failed', ...this.#failure };
      if (result) return { kind: 'succeeded', ...result };
      return { kind: 'cancelled' };
    } finally {
      cancelTimer?.();
      signal.removeEventListener('abort', onAbort);
      this.#pins.release();
      await this.#lease.release();
    }
  }

  /**
   * Nested builds that only hits copied from were not touched. Where all their snapshots are here they count as hits: to
   * whoever watches, the build was found whole. Of one that was partly removed since nothing is told.
   */
  async #tellUnneeded(root: Stage): Promise<void> {
    for (const stage of stagesInOrder(root)) {
      const resolving = this.#stages.has(stage) ? undefined : this.#resolver.known(stage);
      if (resolving === undefined) continue;
      const resolved = await resolving;
      const base = await this.#parts.fetcher.find(resolved.image);
      const snapshots = await Promise.all(resolved.steps.map((step) => this.#parts.store.stat(snapshotOf(step))));
      if (base === undefined || snapshots.includes(undefined)) continue;
      const from = this.#reporter(stage.from);
      from.start();
      from.succeeded('hit', base, {
        stepId: resolved.fromId,
        record: resolved.fromRecord,
        image: resolved.image,
        ...(await baseSize(this.#parts, base)),
      });
      for (const step of resolved.steps) await this.#hit(step, snapshotOf(step));
    }
  }

  readonly #settled = new Set<Promise<unknown>>();
  #pending(): Promise<unknown>[] {
    return [...this.#stages.values(), ...this.#bases.values()].filter((promise) => !this.#settled.has(promise));
  }
  #track<T>(promise: Promise<T>): Promise<T> {
    const done = (): void => void this.#settled.add(promise);
    promise.then(done, done);
    return promise;
  }

  #startTimer(): (() => void) | undefined {
    const { timeoutMs, spentMs = 0 } = this.#request;
    if (timeoutMs === undefined) return undefined;
    return this.#parts.clock.after(Math.max(0, timeoutMs - spentMs), () => {
      const seconds = Math.round(timeoutMs / 100) / 10;
      const position = this.#position;
      this.#fail(position, LoamError.of('engine.build-timed-out', { seconds, position: position || '0' }));
    });
  }

  #fail(position: string, error: LoamError): void {
    // Only the first failure counts: what follows is mostly its consequence.
    if (!this.#stop.signal.aborted) this.#failure ??= { error, position };
    // What could not be ended must be heard even after a cancellation.
    else if (error.code === 'backend.will-not-die') this.#failure = { error, position };
    this.#stop.abort(cancelled());
  }

  /** Turns what `action` throws into the build's failure. Undefined then, and when the build was stopped. */
  async #guard<T>(stage: Stage, action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      const blamed = error instanceof StepError ? error : new StepError(stage.from, toLoamError(error));
      if (blamed.error.code === 'general.cancelled' && this.#stop.signal.aborted) return undefined;
      this.#reporter(blamed.place).failed(blamed.error);
      this.#fail(blamed.place.position, blamed.error);
      return undefined;
    }
  }

  #reporter(place: StepPlace): StepReporter {
    let reporter = this.#reporters.get(place);
    if (!reporter) {
      reporter = new StepReporter(place, this.#emit, this.#parts.clock);
      this.#reporters.set(place, reporter);
    }
    return reporter;
  }

  /** Builds a stage once. Rejects with `general.cancelled` when the build has ended for another reason meanwhile. */
  #ensure(stage: Stage): Promise<StageResult> {
    let building = this.#stages.get(stage);
    if (!building) {
      building = this.#track(this.#build(stage));
      this.#stages.set(stage, building);
    }
    return building;
  }

  async #build(stage: Stage): Promise<StageResult> {
    const result = await this.#guard(stage, async () => {
      this.#begin(stage.from);
      const resolved = await this.#resolver.resolve(stage);
      this.#reporter(stage.from).know({ stepId: resolved.fromId, record: resolved.fromRecord, image: resolved.image });
      return this.#buildSteps(stage, resolved);
    });
    if (!result) throw cancelled();
    return result;
  }

  async #buildSteps(stage: Stage, resolved: ResolvedStage): Promise<StageResult> {
    const { steps } = resolved;
    const built = await this.#deepestHit(steps);
    const from = this.#reporter(stage.from);
    let parent: SnapshotName;
    if (built < 0) {
      const base = await this.#base(stage, resolved.image);
      parent = base.snapshot;
      from.succeeded(base.fetched ? 'built' : 'hit', parent, await baseSize(this.#parts, parent));
    } else {
      parent = snapshotOf(steps[built] as ResolvedStep);
      // The base is below what was found, so it is here.
      const base = await this.#parts.fetcher.find(resolved.image);
      from.succeeded('hit', base, await baseSize(this.#parts, base));
    }
    this.#pins.add(parent);
    for (const step of steps.slice(0, built + 1)) await this.#hit(step, snapshotOf(step));
    const misses = steps.slice(built + 1);
    this.#checkSecrets(misses);
    for (const step of misses)
      if (step.kind === 'copy' && step.source) this.#ensure(step.source).catch(() => undefined);
    for (const step of misses) {
      parent = await this.#execute(step, parent);
      this.#pins.add(parent);
    }
    return { stepId: finalId(resolved) ?? resolved.fromId, snapshot: parent };
  }

  /** The last step whose snapshot is there; all below it are there too. One round of look-ups, all at once. */
  async #deepestHit(steps: readonly ResolvedStep[]): Promise<number> {
    const found = await Promise.all(steps.map((step) => this.#parts.store.stat(snapshotOf(step))));
    return found.findLastIndex((snapshot) => snapshot !== undefined);
  }

  /** Before an hour of building, not after it. */
  #checkSecrets(steps: readonly ResolvedStep[]): void {
    for (const step of steps) {
      const id = step.kind === 'run' ? missingSecret(step, this.#request.secrets) : undefined;
      if (id === undefined) continue;
      this.#reporter(step.place).know(factsOf(step));
      throw new StepError(step.place, LoamError.of('engine.secret-missing', { position: step.place.position, id }));
    }
  }

  async #hit(step: ResolvedStep, snapshot: SnapshotName): Promise<void> {
    this.#begin(step.place);
    this.#reporter(step.place).know(factsOf(step));
    this.#reporter(step.place).succeeded('hit', snapshot, { logBytes: await this.#tellLog(step) });
  }

  /** Tells the log of a step that was found, if it is wanted; gives its length. */
  async #tellLog({ id, place }: ResolvedStep): Promise<number> {
    let length = 0;
    for await (const chunk of this.#request.logOfHit?.(id) ?? []) {
      if (this.#stop.signal.aborted) throw cancelled();
      this.#reporter(place).log(chunk);
      length = chunk.offset + chunk.bytes.length;
    }
    return length;
  }

  #begin(place: StepPlace): void {
    if (this.#stop.signal.aborted) throw cancelled();
    this.#position = place.position;
    this.#reporter(place).start();
  }

  async #execute(step: ResolvedStep, parent: SnapshotName): Promise<SnapshotName> {
    const reporter = this.#reporter(step.place);
    reporter.know(factsOf(step));
    let source: SnapshotName | undefined;
    // Whoever executes this step already has what it copies.
    if (step.kind === 'copy' && step.source) source = (await this.#ensure(step.source)).snapshot;
    this.#begin(step.place);
    const followed = await this.#parts.executions.follow(
      step.id,
      this.#code(step, parent, source),
      { onLog: (chunk) => reporter.log(chunk), onPhase: (report) => reporter.progress(report) },
      this.#stop.signal,
    );
    const { result, shared, logBytes } = followed;
    switch (result.kind) {
      case 'hit':
        reporter.succeeded('hit', result.snapshot.name, { logBytes: await this.#tellLog(step) });
        return result.snapshot.name;
      case 'done': {
        const { snapshot, sizeBytes, exit } = result;
        reporter.succeeded(shared ? 'shared' : 'built', snapshot.name, {
          logBytes,
          sizeBytes,
          ...(exit ? { exit } : {}),
        });
        return snapshot.name;
      }
      case 'failed': {
        const { failure } = result;
        const error = failure.at(step.place.position);
        reporter.failed(error, { logBytes, ...(failure.exit ? { exit: failure.exit } : {}) });
        throw new StepError(step.place, error);
      }
      case 'cancelled':
        reporter.know({ logBytes });
        throw cancelled();
    }
  }

  #code(step: ResolvedStep, parent: SnapshotName, source: SnapshotName | undefined): StepCode {
    const { store, sandbox, clock, hostname = 'builder' } = this.#parts;
    const { secrets, limits, stepTimeoutMs: timeoutMs, context } = this.#request;
    return (handle) =>
      this.#lease.hold((lease) => {
        const code =
          step.kind === 'run'
            ? runStep(step, { store, sandbox, hostname, lease, parent, secrets, limits, timeoutMs })
            : copyStep(step, { store, clock, rules: rulesFor(step.platform), lease, parent, context, source });
        return code(handle);
      });
  }

  /** The stage's base image, fetched once if it is not here. */
  #base(stage: Stage, image: ResolvedImage): Promise<BaseImage> {
    let fetching = this.#bases.get(stage);
    if (!fetching) {
      fetching = this.#track(
        bringBase(image, {
          fetcher: this.#parts.fetcher,
          clock: this.#parts.clock,
          lease: this.#lease,
          signal: this.#stop.signal,
          onProgress: (report) => this.#reporter(stage.from).progress(report),
        }),
      );
      this.#bases.set(stage, fetching);
    }
    return fetching;
  }
}

function snapshotOf(step: ResolvedStep): SnapshotName {
  return step.id as string as SnapshotName;
}

function factsOf(step: ResolvedStep): { stepId: StepId; parentId: StepId; record: ResolvedCopy['record'] } {
  return { stepId: step.id, parentId: step.parentId, record: step.record };
}
