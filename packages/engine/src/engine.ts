import type { Engine, EngineOptions } from './api.ts';
import { BuildSession } from './build-session.ts';
import { listCache, listSteps, removeStep } from './cache.ts';
import { Pins, type EngineParts } from './engine-parts.ts';
import { Executions } from './executions.ts';
import { planBuild } from './plan.ts';

/** Makes an engine on three ports. See `Engine`. */
export function createEngine(options: EngineOptions): Engine {
  const parts: EngineParts = {
    ...options,
    executions: new Executions(options.store, options.logs),
    shells: options.shells ?? new Map<string, readonly string[]>(),
    pins: new Pins(),
    baseSizes: new Map(),
  };
  const builds = new Set<Promise<unknown>>();
  return {
    plan: (spec, planOptions = {}) => planBuild(parts, spec, planOptions),
    build: (request, onEvent, signal) => {
      const build = new BuildSession(parts, request, onEvent).run(signal);
      const done = (): void => void builds.delete(build);
      builds.add(build);
      build.then(done, done);
      return build;
    },
    listCache: () => listCache(parts),
    listSteps: () => listSteps(parts),
    removeStep: (stepId, removeOptions = {}) => removeStep(parts, stepId, removeOptions),
    idle: async () => {
      while (builds.size > 0) await Promise.allSettled(builds);
      await parts.executions.idle();
    },
  };
}
