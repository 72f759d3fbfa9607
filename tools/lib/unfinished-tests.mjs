/**
 * A reporter for vitest that speaks only when the run is told to end, as .ci/run does with one that takes too long: which files
 * of tests have not ended, what of them runs, and what has failed in them, none of which vitest has told by then.
 */
export default class UnfinishedTests {
  #files = new Map();

  onInit() {
    process.on('SIGTERM', () => {
      process.stdout.write(`\n${this.describe()}\n`);
      process.exit(1);
    });
  }

  onTestModuleQueued(file) {
    this.#files.set(file.moduleId, { name: file.relativeModuleId, beganMs: performance.now(), tests: new Map() });
  }

  onTestModuleEnd(file) {
    this.#files.delete(file.moduleId);
  }

  onTestCaseReady(test) {
    this.#note(test, { state: 'runs', beganMs: performance.now() });
  }

  onTestCaseResult(test) {
    const { state, errors } = test.result();
    this.#note(test, state === 'failed' ? { state, why: errors?.[0]?.message } : undefined);
  }

  #note(test, facts) {
    const tests = this.#files.get(test.module.moduleId)?.tests;
    if (facts) tests?.set(test.fullName, facts);
    else tests?.delete(test.fullName);
  }

  /** A line for each file, and for each of its tests that has failed or runs. */
  describe() {
    const since = (beganMs) => `${Math.round((performance.now() - beganMs) / 1000)} s`;
    const files = [...this.#files.values()].map(({ name, beganMs, tests }) => {
      const lines = [...tests].map(([test, facts]) =>
        facts.state === 'failed' ? `  failed: ${test}: ${facts.why}` : `  runs for ${since(facts.beganMs)}: ${test}`,
      );
      return [`${name}, for ${since(beganMs)}`, ...lines].join('\n');
    });
    return `Told to end. Files of tests that have not:\n${files.join('\n') || 'none'}`;
  }
}
