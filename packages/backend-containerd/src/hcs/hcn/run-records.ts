import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { removeFile, replaceFile } from '@loam/files';

/** What a run has in the service. */
export interface RunRecord {
  readonly namespace: string;
  readonly endpoint: string;
}

/** Ids of what runs have, on disk before they are used, so that after a crash somebody knows what to delete (reference §6.4). */
export class RunRecords {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async write(runId: string, record: RunRecord): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const path = join(this.#directory, runId);
    await writeFile(`${path}.new`, JSON.stringify(record), { flush: true });
    await replaceFile(`${path}.new`, path);
  }

  /** Undefined when it is not there or was never whole, in which case nothing was made either. */
  async read(runId: string): Promise<RunRecord | undefined> {
    const text = await readFile(join(this.#directory, runId), 'utf8').catch(() => '');
    try {
      const { namespace, endpoint } = JSON.parse(text) as Partial<RunRecord>;
      return namespace === undefined || endpoint === undefined ? undefined : { namespace, endpoint };
    } catch {
      return undefined;
    }
  }

  async remove(runId: string): Promise<void> {
    await removeFile(join(this.#directory, runId));
    await removeFile(join(this.#directory, `${runId}.new`));
  }

  async list(): Promise<string[]> {
    const names = await readdir(this.#directory).catch(() => []);
    return [...new Set(names.map((name) => name.replace(/\.new$/, '')))];
  }
}
