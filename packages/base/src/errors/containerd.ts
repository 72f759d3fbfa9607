import { defineErrors } from './define.ts';

/** What containerd can answer. `{subject}` is the kind of thing that was asked for: snapshot, image, task and so on. */
export const containerdErrors = defineErrors({
  'containerd.not-found': {
    status: 404,
    message: 'containerd has no such {subject}.',
    remedy: 'It may have been removed meanwhile; run the build again.',
  },
  'containerd.already-exists': {
    status: 409,
    message: 'containerd already has this {subject}.',
    remedy: 'Use the one that is there, or remove it first.',
  },
  'containerd.failed-precondition': {
    status: 409,
    message: 'containerd refused: the {subject} is in use, in another state, or not what was promised.',
    remedy: 'Run the build again; if it stays, look into the log of containerd on that agent.',
  },
  'containerd.locked': {
    status: 409,
    message: 'Something else is writing the same {subject}.',
    remedy: 'Wait until it has finished and try again.',
  },
  'containerd.unavailable': {
    status: 503,
    message: 'containerd does not answer.',
    remedy: 'Check that containerd runs on the agent and that the agent is set up with its address.',
  },
  'containerd.unimplemented': {
    status: 501,
    message: 'This containerd cannot do that with a {subject}.',
    remedy: 'Use containerd 1.6 or newer, with the plugins that the agent asks for.',
  },
  'containerd.invalid-argument': {
    status: 500,
    message: 'containerd found the request about a {subject} invalid.',
    remedy: "Report it with the agent's log: the agent sent something that containerd does not accept.",
  },
  'containerd.out-of-range': {
    status: 500,
    message: 'containerd holds less of this {subject} than was asked for.',
    remedy: 'Run the build again; if it stays, remove the image or cache entry and fetch it anew.',
  },
  'containerd.deadline-exceeded': {
    status: 504,
    message: 'containerd took too long over {method}.',
    remedy: 'The host may be overloaded or its disk full or slow; look at the agent, then run the build again.',
  },
  'containerd.permission-denied': {
    status: 403,
    message: 'The agent may not speak to containerd.',
    remedy: 'Run the agent as root, or on Windows as LocalSystem or an administrator.',
  },
  'containerd.task-failed': {
    status: 422,
    message: 'The container could not be run: {reason}.',
    remedy: 'Check the command, its working directory and the image; the log of the agent has the full text.',
  },
  'containerd.failed': {
    status: 500,
    message: 'containerd failed over a {subject}.',
    remedy: 'Look into the log of containerd on that agent.',
  },
  'containerd.bad-address': {
    status: 400,
    message: 'The address of containerd "{address}" is in no known form.',
    remedy: 'Write unix:///path or /path, and on Windows npipe:////./pipe/name or \\\\.\\pipe\\name.',
  },
});
