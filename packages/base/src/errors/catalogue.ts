import { agentErrors } from './agent.ts';
import { apiErrors } from './api.ts';
import { backendErrors } from './backend.ts';
import { cliErrors } from './cli.ts';
import { containerdErrors } from './containerd.ts';
import { contextErrors } from './context.ts';
import { engineErrors } from './engine.ts';
import { generalErrors } from './general.ts';
import { logsErrors } from './logs.ts';
import { queueErrors } from './queue.ts';

/** Every error a user can see, declared once. `docs/errors.md` is made from it, and a test holds the two equal. */
export const errorCatalogue = {
  ...generalErrors,
  ...containerdErrors,
  ...backendErrors,
  ...engineErrors,
  ...contextErrors,
  ...agentErrors,
  ...queueErrors,
  ...logsErrors,
  ...apiErrors,
  ...cliErrors,
};

export type ErrorCode = keyof typeof errorCatalogue;
