import type { Build, Step } from '@loam/contracts';

/** A step as the farm describes it. For tests. */
export function sampleStep(step: Partial<Step> = {}): Step {
  return {
    position: '1',
    stage: [],
    kind: 'run',
    op: '(run (shell "make"))',
    state: 'pending',
    id: null,
    stepId: null,
    parentId: null,
    phase: null,
    phaseStartedAt: null,
    phases: null,
    currentBytes: null,
    totalBytes: null,
    startedAt: null,
    endedAt: null,
    durationMs: null,
    sizeBytes: null,
    logId: null,
    logBytes: 0,
    exit: null,
    error: null,
    ...step,
  };
}

/** A build as the farm describes it. For tests. */
export function sampleBuild(build: Partial<Build> = {}): Build {
  return {
    id: 'bld_1',
    title: null,
    state: 'running',
    pool: 'linux',
    priority: 0,
    createdAt: 0,
    startedAt: 1000,
    endedAt: null,
    createdBy: 'admin',
    agentName: null,
    steps: { total: 1, hit: 0, built: 0, failed: 0, running: 1 },
    error: null,
    waiting: null,
    cancelRequested: false,
    retryOf: null,
    spec: '',
    context: null,
    secretIds: [],
    timeoutMs: null,
    limits: {},
    refresh: false,
    warnings: [],
    attempts: [],
    stepRuns: [],
    result: null,
    ...build,
  };
}
