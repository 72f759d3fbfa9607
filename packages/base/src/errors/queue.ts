import { defineErrors } from './define.ts';

export const queueErrors = defineErrors({
  'queue.bad-url': {
    status: 500,
    message: 'The address of the queue starts with neither redis:// nor postgres:// (its scheme is {scheme}).',
    remedy: 'Set LOAM_QUEUE_URL to redis://host:6379 or postgres://user:password@host/database.',
  },
  'queue.unreachable': {
    status: 503,
    message: 'The {kind} of the queue does not answer.',
    remedy: 'Check LOAM_QUEUE_URL and that the server runs and can be reached from here.',
  },
});
