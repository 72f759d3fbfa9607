import type { DockerfileOptions } from './docker-options.ts';
import { dockerRun, escapeOf, goesOn, isJsonArray } from './docker-run.ts';
import { nameStages } from './docker-stages.ts';
import type { Stages } from './docker-stages.ts';
import type { CopyOp, Mount, Op, RunOp, Spec, User } from './spec.ts';

/** What one stage has set so far. */
interface StageState {
  user: User;
  shell: readonly string[];
}

/**
 * The Dockerfile that does what a spec does, with these limits (see also `dockerfileLosses`): `exclude` and `network`
 * are left out, and without BuildKit so are caches and secrets.
 *
 * It is what OBuilder writes, except where that would not mean the same:
 * - every line of a comment is one;
 * - SHELL is valid JSON, and so are the paths of a COPY when one has blanks in it;
 * - a command of several lines stays one: with BuildKit it is a here-document, which is handed to the shell as one
 *   argument, as OBuilder does (needs Docker 23, or `# syntax=docker/dockerfile:1.4`); without, it is an exec-form RUN
 *   that spells out the shell in force. The same goes for the rare one-line commands that Docker would take apart;
 * - caches and secrets work on Windows, where they have no uid;
 * - a path, a user or a working directory that ends with Docker's escape character does not take the next line with it;
 * - nested builds are renamed whose names Docker would refuse, mix up, or take for the base image of a later stage.
 */
export function toDockerfile(spec: Spec, options: DockerfileOptions): string {
  const lines = options.platform === 'windows' ? ['#escape=`'] : [];
  writeStage(spec, undefined, nameStages(spec), options, lines);
  return lines.map((line) => `${line}\n`).join('');
}

function writeStage(spec: Spec, name: string | undefined, stages: Stages, options: DockerfileOptions, lines: string[]) {
  for (const build of spec.builds) {
    writeStage(build.spec, stages.nameOf(build), stages, options, lines);
    lines.push('');
  }
  lines.push(oneLine(`FROM ${spec.from}${name === undefined ? '' : ` as ${name}`}`, options));
  const windows = options.platform === 'windows';
  const state: StageState = {
    user: windows ? { kind: 'windows', name: 'ContainerAdministrator' } : { kind: 'unix', uid: '0', gid: '0' },
    shell: windows ? ['cmd', '/S', '/C'] : ['/bin/sh', '-c'],
  };
  for (const op of spec.ops) for (const line of instruction(op, state, stages, options)) lines.push(line);
}

function instruction(op: Op, state: StageState, stages: Stages, options: DockerfileOptions): string[] {
  switch (op.kind) {
    case 'comment':
      return op.text.split(/\r?\n/).map((line) => `# ${line}`);
    case 'workdir':
      return [oneLine(`WORKDIR ${op.path}`, options)];
    case 'shell':
      state.shell = op.args;
      return [`SHELL [ ${op.args.map((word) => JSON.stringify(word)).join(', ')} ]`];
    case 'run': {
      const flags = options.buildkit ? mountFlags(op, state.user) : [];
      return dockerRun(op.shell, flags, state.shell, options);
    }
    case 'copy':
      return [copyInstruction(op, state.user, stages, options)];
    case 'user':
      state.user = op.user;
      return [oneLine(`USER ${op.user.kind === 'unix' ? `${op.user.uid}:${op.user.gid}` : op.user.name}`, options)];
    case 'env':
      return [oneLine(`ENV ${op.name}="${quoteForEnv(op.value, escapeOf(options))}"`, options)];
  }
}

function mountFlags(op: RunOp, user: User): string[] {
  const flag = (type: string, mount: Mount) =>
    withoutLineEnds(
      [
        `--mount=type=${type}`,
        `id=${mount.id}`,
        `target=${mount.target}`,
        ...(user.kind === 'unix' ? [`uid=${user.uid}`] : []),
        ...mount.buildkitOptions.map(([key, value]) => `${key}=${value}`),
      ].join(','),
    );
  return [...op.secrets.map((mount) => flag('secret', mount)), ...op.cache.map((mount) => flag('cache', mount))];
}

function copyInstruction(op: CopyOp, user: User, stages: Stages, options: DockerfileOptions): string {
  const flags: string[] = [];
  if (user.kind === 'unix' && !(user.uid === '0' && user.gid === '0')) flags.push(`--chown=${user.uid}:${user.gid}`);
  if (op.from.kind === 'build') flags.push(`--from=${stages.nameOfSource(op)}`);
  const src = op.src.map(plainPath);
  const dst = plainPath(op.dst);
  const paths = [...src, dst];
  // Two blanks stand where there is no source at all; Docker refuses that, as OBuilder refuses to copy nothing.
  const plain = `${src.join(' ')} ${dst}`;
  const torn =
    paths.some((path) => /\s/.test(path) || path === '') ||
    plain.startsWith('--') ||
    isJsonArray(plain) ||
    goesOn(plain, escapeOf(options));
  const list = torn ? `[${paths.map((path) => JSON.stringify(path)).join(', ')}]` : plain;
  return ['COPY', ...flags, list].join(' ');
}

/** A path that Docker does not take for a here-document, in the JSON form either. */
function plainPath(path: string): string {
  return /^\d*<</.test(path) ? `./${path}` : path;
}

/** The value between the double quotes of an ENV. `$` is left alone: Docker expands it, as in OBuilder's output. */
function quoteForEnv(value: string, escape: string): string {
  return value.replaceAll(/["\\`]/g, (found) => (found === '"' || found === escape ? escape + found : found));
}

/** An instruction that ends where its line does: a lone escape character there stands for itself. */
function oneLine(text: string, options: DockerfileOptions): string {
  const line = withoutLineEnds(text);
  const escape = escapeOf(options);
  return goesOn(line, escape) && !line.trimEnd().endsWith(escape + escape) ? line.trimEnd() + escape : line;
}

/** A line end inside an instruction would begin another one, whatever a value says: it becomes a blank. */
function withoutLineEnds(text: string): string {
  return text.replaceAll(/\r?\n/g, ' ');
}
