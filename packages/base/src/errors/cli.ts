import { defineErrors } from './define.ts';

export const cliErrors = defineErrors({
  'cli.api-unreachable': {
    status: 502,
    message: 'The farm at {url} does not answer.',
    remedy: 'Check the address (--url or LOAM_URL) and that the API runs; `npm start` starts one here.',
  },
  'cli.agent-ambiguous': {
    status: 409,
    message: '{count} agents are called "{name}".',
    remedy: 'Name it by its id; `loam agents` lists them.',
  },
  'cli.api-answer': {
    status: 502,
    message: 'The farm answered {status} with something that is no answer of Loam.',
    remedy: "Check that the address is a Loam API and not a proxy's error page.",
  },
  'cli.bad-url': {
    status: 400,
    message: '"{url}" is not an address.',
    remedy: 'Write it as http://host:7700 or https://host.',
  },
  'cli.bad-config': {
    status: 400,
    message: 'The settings in {path} cannot be read.',
    remedy: 'Run `loam login` again, or delete the file.',
  },
  'cli.no-token': {
    status: 401,
    message: 'There is no API token for {url}.',
    remedy: 'Run `loam login`, or set LOAM_TOKEN.',
  },
  'cli.file-unreadable': {
    status: 400,
    message: '{path} cannot be read: {reason}.',
    remedy: 'Check the path and its permissions.',
  },
  'cli.file-unwritable': {
    status: 400,
    message: '{path} cannot be written: {reason}.',
    remedy: 'Check the path and its permissions. What was in the file is still there.',
  },
  'cli.spec-invalid': {
    status: 422,
    message: '{file} is no valid spec; errors: {count}.',
    remedy: 'Mend what is marked above; `loam spec check` shows it again.',
  },
  'cli.bad-secret': {
    status: 400,
    message: '"{text}" does not name a secret.',
    remedy: 'Write id:FILE for the content of a file, or id=NAME for a secret that the farm keeps.',
  },
  'cli.no-such-step': {
    status: 404,
    message: 'The build {build} has no step {step} with a log.',
    remedy: '`loam show BUILD` lists its steps.',
  },
});
