import { defineErrors } from './define.ts';

export const engineErrors = defineErrors({
  'engine.step-failed': {
    status: 422,
    message: 'Step {position} failed with exit code {code}.',
    remedy: 'Read the log of the step: its last lines mostly say why.',
  },
  'engine.step-killed': {
    status: 422,
    message: 'Step {position} was killed by signal {signal}.',
    remedy: 'Read the log of the step; signal 9 without a word is mostly lack of memory on the host.',
  },
  'engine.out-of-memory': {
    status: 422,
    message: 'Step {position} ran out of memory; its limit is {limit}.',
    remedy: 'Raise the memory limit of the build, or let the step use less at once.',
  },
  'engine.timed-out': {
    status: 422,
    message: 'Step {position} did not end within {seconds} s.',
    remedy: 'Raise the time limit, or read its log to see where it hangs.',
  },
  'engine.build-timed-out': {
    status: 422,
    message: 'The build did not end within {seconds} s; it was at step {position}.',
    remedy: 'Raise the time limit of the build. Steps that ended are kept and not built again.',
  },
  'engine.secret-missing': {
    status: 422,
    message: 'Step {position} needs the secret "{id}", which has no value.',
    remedy: 'Give its value with the build (--secret ID:FILE), or store it on the farm.',
  },
  'engine.network-unknown': {
    status: 422,
    message: 'Step {position} asks for the network "{network}", which does not exist.',
    remedy: 'Write (network host), (network nat) or leave the network out.',
  },
  'engine.value-invalid': {
    status: 422,
    message: 'An operation `{op}` has a value that no process can be given: {reason}.',
    remedy: 'Names of variables have at least one character and no "="; no value has a NUL character.',
  },
  'engine.cache-option': {
    status: 422,
    message: 'Step {position}: the cache "{id}" has {option} "{value}", which means nothing here.',
    remedy: 'Sharing is shared, locked or private; mode is octal such as 0755; uid and gid are numbers.',
  },
  'engine.copy-sources': {
    status: 422,
    message: 'Step {position} copies {count} sources to "{destination}", which is not a directory.',
    remedy: 'End the destination with "/" to copy several sources into it, and name at least one source.',
  },
  'engine.copy-source-invalid': {
    status: 422,
    message: 'Step {position} cannot copy "{source}": {reason}.',
    remedy: 'Name sources by paths below the root, without "..".',
  },
  'engine.copy-drive': {
    status: 422,
    message: 'Step {position} copies to "{destination}": a Windows container has no drive {drive} of its own, only C:.',
    remedy: 'Copy below C:\\. What a step needs on another drive can be mounted there as a cache.',
  },
  'engine.copy-source-missing': {
    status: 422,
    message: 'Step {position}: the build "{build}" has no "{source}" to copy.',
    remedy: 'Check the path, and that the nested build makes it.',
  },
  'engine.copy-conflict': {
    status: 422,
    message: 'Step {position} cannot put {kind} at "{path}": {reason}.',
    remedy: 'End the destination with "/" to copy into a directory, or remove what is there first.',
  },
  'engine.unknown-build': {
    status: 422,
    message: 'Step {position} copies from the build "{build}", which is not in scope.',
    remedy: 'Define (build NAME …) before the spec that uses it.',
  },
  'engine.context-changed': {
    status: 409,
    message: 'The file "{path}" changed while the build was reading it.',
    remedy: 'Build again, with nothing writing into the project meanwhile.',
  },
  'engine.step-unknown': {
    status: 404,
    message: 'There is no step {id} in the cache of this agent.',
    remedy: 'List what there is with `loam-agent cache ls`.',
  },
});
