import { defineErrors } from './define.ts';

export const logsErrors = defineErrors({
  'logs.gap': {
    status: 409,
    message: 'The log {logId} ends at byte {size}; bytes from {offset} on cannot follow it.',
    remedy: 'Send the log again from where it ends.',
  },
  'logs.ended': {
    status: 409,
    message: 'The log {logId} is complete at {size} bytes; nothing can follow it.',
    remedy: 'Nothing: what was sent belongs to an attempt that is over.',
  },
  'logs.unknown': {
    status: 404,
    message: 'There is no log {logId}.',
    remedy: 'It may have been removed after its time; look at the build for the logs that it has.',
  },
});
