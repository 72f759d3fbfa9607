import { defineErrors } from './define.ts';

export const generalErrors = defineErrors({
  'general.cancelled': {
    status: 409,
    message: 'Cancelled.',
    remedy: 'Start it again if that was not meant.',
  },
  'general.internal': {
    status: 500,
    message: 'Something went wrong inside Loam.',
    remedy: 'Try again; if it stays, look into the log of the process under the id of this request and report it.',
  },
});
