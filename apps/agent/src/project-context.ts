import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

import { systemClock } from '@loam/base';
import { openLocalContext, type ContextSource } from '@loam/context';

/** The files of a directory on this machine; their digests are remembered in the agent's state. */
export function projectContext(directory: string, stateDirectory: string): ContextSource {
  const project = resolve(directory);
  const name = createHash('sha256').update(project).digest('hex').slice(0, 32);
  return openLocalContext(project, { indexFile: join(stateDirectory, 'contexts', name), clock: systemClock });
}
