import type { ImageConfig, User } from '@loam/backend';
import { assertNever, LoamError } from '@loam/base';
import type { Op, User as SpecUser } from '@loam/spec';

import type { PlatformRules } from './platform/rules.ts';

/** What ops that make no snapshot set for those that do. */
export interface StepState {
  readonly workdir: string;
  readonly user: User;
  readonly env: readonly (readonly [name: string, value: string])[];
  /** Undefined until the spec or the image names one: then the base image decides. */
  readonly shell: readonly string[] | undefined;
}

/** The state on which a build starts: what its base image says, else the platform's rule. */
export function initialState(config: ImageConfig, rules: PlatformRules): StepState {
  return {
    workdir: rules.absolute(rules.workdir, config.workdir ?? ''),
    user: config.user === undefined || config.user === '' ? rules.user : imageUser(config.user),
    env: config.env.reduce<StepState['env']>((env, [name, value]) => setVariable(env, name, value, rules), []),
    shell: config.shell,
  };
}

/** The state behind `op`. Steps leave it as it is. Throws `engine.value-invalid` and `backend.unknown-user`. */
export function nextState(state: StepState, op: Op, rules: PlatformRules): StepState {
  checkText(op);
  switch (op.kind) {
    case 'workdir':
      return { ...state, workdir: rules.absolute(state.workdir, op.path) };
    case 'shell':
      return { ...state, shell: op.args };
    case 'user':
      return { ...state, user: specUser(op.user) };
    case 'env':
      return { ...state, env: setVariable(state.env, op.name, op.value, rules) };
    case 'comment':
    case 'run':
    case 'copy':
      return state;
    default:
      return assertNever(op);
  }
}

/** A process takes its texts as C strings, and its environment as `NAME=VALUE`: what does not fit would change its meaning. */
function checkText(op: Op): void {
  const refuse = (reason: string): LoamError => LoamError.of('engine.value-invalid', { op: op.kind, reason });
  if (textsOf(op).some((text) => text.includes('\0'))) throw refuse('it holds a NUL character');
  if (op.kind === 'env' && !/^[^=]+$/.test(op.name)) throw refuse(`"${op.name}" cannot be the name of a variable`);
}

function textsOf(op: Op): readonly string[] {
  switch (op.kind) {
    case 'workdir':
      return [op.path];
    case 'shell':
      return op.args;
    case 'env':
      return [op.name, op.value];
    case 'run':
      return [op.shell];
    case 'copy':
      return [...op.src, op.dst];
    default:
      return [];
  }
}

/** A variable keeps the place at which its name first appeared, so that setting it again to the same value changes nothing. */
function setVariable(env: StepState['env'], name: string, value: string, rules: PlatformRules): StepState['env'] {
  const key = rules.envKey(name);
  const at = env.findIndex(([other]) => rules.envKey(other) === key);
  if (at < 0) return [...env, [name, value]];
  return env.with(at, [name, value]);
}

/** `0`, `0:0` and `1000:1000` need no look into the image. */
function imageUser(text: string): User {
  const ids = /^(\d{1,10}):(\d{1,10})$/.exec(text);
  if (ids) return { kind: 'id', uid: Number(ids[1]), gid: Number(ids[2]) };
  if (text === '0' || text === 'root') return { kind: 'id', uid: 0, gid: 0 };
  return { kind: 'name', name: text };
}

/** The kernel's ids have 32 bits, and the highest value means "no id". */
const highestId = 0xffff_fffe;

function specUser(user: SpecUser): User {
  if (user.kind === 'windows') return { kind: 'name', name: user.name };
  const [uid, gid] = [Number(user.uid), Number(user.gid)];
  if (![uid, gid].every((id) => Number.isInteger(id) && id >= 0 && id <= highestId)) {
    throw LoamError.of('backend.unknown-user', { user: `${user.uid}:${user.gid}` });
  }
  return { kind: 'id', uid, gid };
}
