import type { Clock } from '@loam/base';
import type { Build, LiveFrame, Step } from '@loam/contracts';

/** Called with the frames that bring a viewer up to date. `isWhole`: they replace all that was sent before. */
export type FeedListener = (frames: readonly LiveFrame[], isWhole: boolean) => void;

/** Between two readings of a build's rows; what changes meanwhile is read once. */
const pauseMs = 40;

/**
 * One build, for all who watch it. It reads the build when a hint says that something changed, compares it with what was
 * sent, and sends the difference: all frames come from one sequence of readings, so none can be older than one before it.
 */
export class BuildFeed {
  readonly #load: () => Promise<Build | undefined>;
  readonly #clock: Clock;
  readonly #listeners = new Set<FeedListener>();
  #sent: { build: Build; head: string; steps: Map<string, string> } | undefined;
  #isDirty = false;
  #isRunning = false;
  #isPausing = false;
  #isUrgent = false;

  constructor(load: () => Promise<Build | undefined>, clock: Clock) {
    this.#load = load;
    this.#clock = clock;
  }

  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Whether its agents' comings and goings matter to it. */
  get isQueued(): boolean {
    return this.#sent?.build.state === 'queued';
  }

  /** Adds a listener, which gets the whole build first; false when there is no such build. */
  async watch(listener: FeedListener): Promise<boolean> {
    // Others see what this reading finds first, so that the newcomer starts where they stand.
    const build = await this.#load();
    if (build === undefined) return false;
    this.#publish(build);
    listener([{ type: 'build', build }], true);
    this.#listeners.add(listener);
    // What changed between the reading and now has had nobody to tell.
    this.touch();
    return true;
  }

  unwatch(listener: FeedListener): void {
    this.#listeners.delete(listener);
  }

  /** Something may have changed. What is urgent is not gathered with what comes next: the end of a build. */
  touch(isUrgent = false): void {
    this.#isDirty = true;
    this.#isUrgent ||= isUrgent;
    if (!this.#isRunning && (!this.#isPausing || isUrgent)) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      this.#isDirty = false;
      this.#isUrgent = false;
      const build = await this.#load();
      if (build !== undefined) this.#publish(build);
    } catch {
      // The database is away: what was missed is read with the next look.
      this.#isDirty = true;
      this.#isUrgent = false;
    } finally {
      this.#isRunning = false;
    }
    if (this.#isUrgent) {
      void this.#run();
      return;
    }
    this.#isPausing = true;
    this.#clock.after(pauseMs, () => {
      this.#isPausing = false;
      if (this.#isDirty && this.isWatched && !this.#isRunning) void this.#run();
    });
  }

  #publish(build: Build): void {
    const head = headOf(build);
    const steps = new Map(build.stepRuns.map((step) => [step.position, JSON.stringify(step)]));
    const sent = this.#sent;
    this.#sent = { build, head, steps };
    if (sent === undefined) return;
    if (sent.head !== head) {
      for (const listener of this.#listeners) listener([{ type: 'build', build }], true);
      return;
    }
    const frames = build.stepRuns
      .filter((step: Step) => sent.steps.get(step.position) !== steps.get(step.position))
      .map((step: Step): LiveFrame => ({ type: 'step', buildId: build.id, step }));
    if (frames.length > 0) for (const listener of this.#listeners) listener(frames, false);
  }
}

/** Everything but the steps and what is counted over them. */
function headOf(build: Build): string {
  const { stepRuns: _, steps: __, spec: ___, ...head } = build;
  return JSON.stringify(head);
}
