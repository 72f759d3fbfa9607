import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { LoamError } from '@loam/base';
import { removeFile, replaceFile } from '@loam/files';

import { undoEach, type NetworkProvider, type RunNetwork } from '../networks.ts';
import { CniFailure, type Attachment, type CniResult, type Conflist } from './conflist.ts';

/** Makes the namespaces that plugins connect. */
export interface NamespaceMaker {
  /** Where the namespace of a run is, or will be. */
  place(runId: string): string;
  make(runId: string): Promise<void>;
  /** One that is not there is a success. */
  remove(runId: string): Promise<void>;
}

export interface CniNetworksOptions {
  readonly conflist: Conflist;
  readonly namespaces: NamespaceMaker;
  /** For what was answered to each run, which plugins want to see when they undo it. */
  readonly directory: string;
  /** Looks whether the network really is as the plugins say. Throws when it is not. */
  readonly check?: (attachment: Attachment, result: CniResult | undefined) => Promise<void>;
}

const interfaceName = 'eth0';

/** Networks by CNI plugins: a namespace and an attachment of its own for every run. */
export class CniNetworks implements NetworkProvider {
  readonly #options: CniNetworksOptions;

  constructor(options: CniNetworksOptions) {
    this.#options = options;
  }

  async connect(runId: string): Promise<RunNetwork> {
    const { conflist, namespaces, check } = this.#options;
    // On disk before it is used, so that after a crash somebody knows what to undo (reference §6.4).
    await this.#write(runId, {});
    try {
      await namespaces.make(runId);
      const result = await conflist.add(this.#attachment(runId));
      if (result !== undefined) await this.#write(runId, result);
      await check?.(this.#attachment(runId), result);
    } catch (error) {
      // A plugin that failed may have done a part (reference §6.3). Why it failed matters more than that it cannot undo it.
      await this.#release(runId).catch(() => undefined);
      throw explained(error);
    }
    let releasing: Promise<void> | undefined;
    return { namespace: namespaces.place(runId), release: () => (releasing ??= this.#release(runId)) };
  }

  async reconcile(): Promise<number> {
    return undoEach(await this.list(), (run) => this.#release(run));
  }

  async list(): Promise<string[]> {
    const names = await readdir(this.#options.directory).catch(() => []);
    return [...new Set(names.map((name) => name.replace(/\.new$/, '')))];
  }

  async #release(runId: string): Promise<void> {
    const { conflist, namespaces, directory } = this.#options;
    try {
      await conflist.delete(this.#attachment(runId), await this.#read(runId));
      await namespaces.remove(runId);
    } catch (error) {
      throw explained(error);
    }
    await removeFile(join(directory, runId));
    await removeFile(join(directory, `${runId}.new`));
  }

  #attachment(runId: string): Attachment {
    return { containerId: runId, namespace: this.#options.namespaces.place(runId), interfaceName };
  }

  async #write(runId: string, result: CniResult): Promise<void> {
    const { directory } = this.#options;
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, `${runId}.new`), JSON.stringify(result));
    await replaceFile(join(directory, `${runId}.new`), join(directory, runId));
  }

  /** Undefined unless ADD came to its end, and what it answered was written whole. */
  async #read(runId: string): Promise<CniResult | undefined> {
    const text = await readFile(join(this.#options.directory, runId), 'utf8').catch(() => '');
    try {
      const result = JSON.parse(text) as CniResult;
      return Object.keys(result).length === 0 ? undefined : result;
    } catch {
      return undefined;
    }
  }
}

function explained(error: unknown): unknown {
  if (!(error instanceof CniFailure)) return error;
  return LoamError.of('backend.cni-failed', {}, { cause: error, internal: error.message });
}
