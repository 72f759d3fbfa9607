import { defineErrors } from './define.ts';

export const cliErrors = defineErrors({
  'cli.api-unreachable': {
    status: 502,
    message: 'The farm at {url} does not answer.',
    remedy: 'Check the address (--url or LOAM_URL) and that the API runs; `npm start` starts one here.',
  },
  'cli.api-answer': {
    status: 502,
    message: 'The farm answered {status} with something that is no answer of Loam.',
    remedy: "Check that the address is a Loam API and not a proxy's error page.",
  },
});
