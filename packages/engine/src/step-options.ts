import type { CacheSharing, Network } from '@loam/backend';
import { LoamError } from '@loam/base';
import type { CopyOp, Mount, Op, RunOp } from '@loam/spec';

import type { StepPlace } from './events.ts';
import type { PlatformRules } from './platform/rules.ts';
import { stagesInOrder, type Stage } from './stage.ts';
import { StepError } from './step-error.ts';

/** Looks for what no agent could ever build, before anything is fetched or run. Throws a `StepError`. */
export function checkStages(root: Stage, rules: PlatformRules): void {
  for (const stage of stagesInOrder(root)) {
    const places = new Map<Op, StepPlace>(stage.steps.map(({ op, place }) => [op, place]));
    // As far as the spec alone tells it; where an image begins elsewhere, a copy is looked at again when it is resolved.
    let { workdir } = rules;
    for (const op of stage.spec.ops) {
      if (op.kind === 'workdir') workdir = rules.absolute(workdir, op.path);
      const place = places.get(op);
      if (!place) continue;
      const { position } = place;
      let error: LoamError | undefined;
      if (op.kind === 'run') error = runProblem(op, position);
      if (op.kind === 'copy') {
        error = copyProblem(op, position, stage, rules) ?? driveProblem(op, position, workdir, rules);
      }
      if (error) throw new StepError(place, error);
    }
  }
}

/** What is wrong with where a copy goes, out of the directory that it stands in. */
export function driveProblem(
  op: CopyOp,
  position: string,
  workdir: string,
  rules: PlatformRules,
): LoamError | undefined {
  const destination = rules.destination(workdir, op.dst).path;
  const drive = rules.otherDrive(destination);
  return drive === undefined ? undefined : LoamError.of('engine.copy-drive', { position, destination, drive });
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

function copyProblem(op: CopyOp, position: string, stage: Stage, rules: PlatformRules): LoamError | undefined {
  const { from, src, dst } = op;
  const isDirectory = /[\\/]$/.test(dst);
  if (src.length === 0 || (src.length > 1 && !isDirectory)) {
    return LoamError.of('engine.copy-sources', { position, count: src.length, destination: dst });
  }
  if (from.kind === 'build' && !stage.scope.has(from.name)) {
    return LoamError.of('engine.unknown-build', { position, build: from.name });
  }
  for (const source of src) {
    const reason = sourceProblem(op, source, rules);
    if (reason !== undefined) return LoamError.of('engine.copy-source-invalid', { position, source, reason });
  }
  return undefined;
}

/** Sources in the project are named as the spec's author sees it, those in a build as the build's platform does. */
function sourceProblem(op: CopyOp, source: string, rules: PlatformRules): string | undefined {
  const isInBuild = op.from.kind === 'build';
  if (isInBuild && rules.otherDrive(source) !== undefined) return 'a container has no other drive than C:';
  const path = isInBuild ? rules.treePath(source) : source;
  return path.split('/').includes('..') ? 'it has ".." in it' : undefined;
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
