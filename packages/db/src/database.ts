import { connect, type ConnectOptions, type Connection } from './connect.ts';
import { accessRepository, type AccessRepository } from './repositories/access.ts';
import { agentsRepository, type AgentsRepository } from './repositories/agents.ts';
import { attemptsRepository, type AttemptsRepository } from './repositories/attempts.ts';
import { buildsRepository, type BuildsRepository } from './repositories/builds.ts';
import { cacheRepository, type CacheRepository } from './repositories/cache.ts';
import { contextsRepository, type ContextsRepository } from './repositories/contexts.ts';
import { logsRepository, type LogsRepository } from './repositories/logs.ts';

/** The farm's truth, an aggregate at a time. */
export interface Database {
  readonly access: AccessRepository;
  readonly agents: AgentsRepository;
  readonly attempts: AttemptsRepository;
  readonly builds: BuildsRepository;
  readonly cache: CacheRepository;
  readonly contexts: ContextsRepository;
  readonly logs: LogsRepository;
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a database that `migrate` has brought to the present schema. */
export function openDatabase(url: string, options?: ConnectOptions): Database {
  const connection: Connection = connect(url, options);
  return {
    access: accessRepository(connection),
    agents: agentsRepository(connection),
    attempts: attemptsRepository(connection),
    builds: buildsRepository(connection),
    cache: cacheRepository(connection),
    contexts: contextsRepository(connection),
    logs: logsRepository(connection),
    async ping() {
      await connection.sql`select 1`;
    },
    close: () => connection.close(),
  };
}
