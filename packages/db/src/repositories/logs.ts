import type { Connection } from '../connect.ts';

/** Where a log stands. */
export interface LogRow {
  readonly id: string;
  readonly sizeBytes: number;
  /** No byte will come any more. */
  readonly ended: boolean;
}

export type LogsRepository = ReturnType<typeof logsRepository>;

export function logsRepository({ sql }: Connection) {
  return {
    /** The log of a step run, which may be empty; undefined for what is no step run. */
    async get(id: string): Promise<LogRow | undefined> {
      const [row] = await sql<LogRow[]>`
        select r.id, coalesce(l.size_bytes, 0) as size_bytes, r.state <> 'running' as ended
        from step_runs r left join logs l on l.id = r.id where r.id = ${id}`;
      return row;
    },

    /** Logs that an attempt may have written: those of all its step runs. */
    async ofAttempt(attemptId: string): Promise<string[]> {
      const rows = await sql<{ id: string }[]>`select id from step_runs where attempt_id = ${attemptId}`;
      return rows.map((row) => row.id);
    },

    /** The attempt that a log belongs to. */
    async attemptOf(id: string): Promise<string | undefined> {
      const [row] = await sql<{ attemptId: string }[]>`select attempt_id from step_runs where id = ${id}`;
      return row?.attemptId;
    },
  };
}
