import type { CacheSharing, Network } from '@loam/backend';
import { LoamError } from '@loam/base';
import type { CopyOp, Mount, RunOp } from '@loam/spec';

import { stagesInOrder, type Stage } from './stage.ts';
import { StepError } from './step-error.ts';

/** Looks for what no agent could ever build, before anything is fetched or run. Throws a `StepError`. */
export function checkStages(root: Stage): void {
  for (const stage of stagesInOrder(root)) {
    for (const { place, op } of stage.steps) {
      const error = op.kind === 'run' ? runProblem(op, place.position) : copyProblem(op, place.position, stage);
      if (error) throw new StepError(place, error);
    }
  }
}

function runProblem(op: RunOp, position: string): LoamError | undefined {
  const network = op.network.find((name) => !isNetwork(name));
  if (network !== undefined) return LoamError.of('engine.network-unknown', { position, network });
  for (const mount of op.cache) {
    const problem = readCacheOptions(mount);
    if ('option' in problem) return LoamError.of('engine.cache-option', { position, id: mount.id, ...problem });
  }
  return undefined;
}

function copyProblem(op: CopyOp, position: string, stage: Stage): LoamError | undefined {
  const { from, src, dst } = op;
  const isDirectory = /[\\/]$/.test(dst);
  if (src.length === 0 || (src.length > 1 && !isDirectory)) {
    return LoamError.of('engine.copy-sources', { position, count: src.length, destination: dst });
  }
  if (from.kind === 'build' && !stage.scope.has(from.name)) {
    return LoamError.of('engine.unknown-build', { position, build: from.name });
  }
  const climbing = src.find((source) => source.split('/').includes('..'));
  if (climbing === undefined) return undefined;
  return LoamError.of('engine.copy-source-invalid', { position, source: climbing, reason: 'it has ".." in it' });
}

function isNetwork(name: string): name is Network {
  return name === 'none' || name === 'host' || name === 'nat';
}

/** The one network that a step gets: the widest of those it names. */
export function networkOf(op: RunOp): Network {
  if (op.network.includes('host')) return 'host';
  return op.network.includes('nat') ? 'nat' : 'none';
}

export interface CacheOptions {
  readonly sharing: CacheSharing;
  readonly mode: number;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** What a cache's BuildKit options mean here, or the first that means nothing. Other BuildKit options are for Dockerfiles only. */
export function readCacheOptions(mount: Mount): CacheOptions | { option: string; value: string } {
  const options = new Map(mount.buildkitOptions);
  const sharing = options.get('sharing') ?? 'shared';
  if (sharing !== 'shared' && sharing !== 'locked' && sharing !== 'private')
    return { option: 'sharing', value: sharing };
  const mode = options.get('mode') ?? '0755';
  if (!/^[0-7]{3,5}$/.test(mode)) return { option: 'mode', value: mode };
  for (const option of ['uid', 'gid']) {
    const value = options.get(option);
    if (value !== undefined && !/^\d{1,9}$/.test(value)) return { option, value };
  }
  const number = (option: string): number | undefined =>
    options.has(option) ? Number(options.get(option)) : undefined;
  return { sharing, mode: Number.parseInt(mode, 8), uid: number('uid'), gid: number('gid') };
}
