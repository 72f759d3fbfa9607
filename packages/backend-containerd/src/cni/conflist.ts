import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { systemClock, type Clock } from '@loam/base';

/** A chain of CNI plugins, as a file `*.conflist` has it. */
export interface ConflistDocument {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly ({ readonly type: string } & Readonly<Record<string, unknown>>)[];
}

export interface Attachment {
  /** Unique: an endpoint of the same name would be silently used again (reference §6.3). */
  readonly containerId: string;
  /** A path on Linux, a GUID on Windows. */
  readonly namespace: string;
  readonly interfaceName: string;
}

/** Runs one plugin: standard input in, standard output out. Throws `CniFailure` when it fails. */
export type RunPlugin = (type: string, environment: Readonly<Record<string, string>>, input: string) => Promise<string>;

export class CniFailure extends Error {
  constructor(plugin: string, command: string, reason: string) {
    super(`${plugin} ${command}: ${reason}`);
    this.name = 'CniFailure';
  }
}

/** What a chain answered last; the next plugin, and a later DEL, want to see it. */
export type CniResult = Readonly<Record<string, unknown>>;

/** Executes a chain as the CNI specification has it: ADD in order, DEL in reverse (reference §6.3, §6.5). */
export class Conflist {
  readonly #document: ConflistDocument;
  readonly #run: RunPlugin;

  constructor(document: ConflistDocument, run: RunPlugin) {
    this.#document = document;
    this.#run = run;
  }

  async add(attachment: Attachment): Promise<CniResult | undefined> {
    let result: CniResult | undefined;
    for (const plugin of this.#document.plugins) {
      const text = await this.#run(plugin.type, environment('ADD', attachment), this.#input(plugin, result));
      result = parseResult(plugin.type, text);
    }
    return result;
  }

  /** What is not there is a success to every plugin. */
  async delete(attachment: Attachment, result: CniResult | undefined): Promise<void> {
    for (const plugin of this.#document.plugins.toReversed()) {
      await this.#run(plugin.type, environment('DEL', attachment), this.#input(plugin, result));
    }
  }

  #input(plugin: object, result: CniResult | undefined): string {
    const { cniVersion, name } = this.#document;
    return JSON.stringify({ ...plugin, cniVersion, name, ...(result === undefined ? {} : { prevResult: result }) });
  }
}

function parseResult(plugin: string, text: string): CniResult {
  try {
    return JSON.parse(text) as CniResult;
  } catch {
    throw new CniFailure(plugin, 'ADD', `its answer is not JSON: ${text.slice(0, 200)}`);
  }
}

function environment(command: string, { containerId, namespace, interfaceName }: Attachment): Record<string, string> {
  return { CNI_COMMAND: command, CNI_CONTAINERID: containerId, CNI_NETNS: namespace, CNI_IFNAME: interfaceName };
}

const timeoutMs = 60_000;
const maxErrorText = 16_384;

/** Plugins are programs in one directory; they keep the rest of our environment (reference §6.3). Each has a time limit. */
export function pluginsIn(directory: string, clock: Clock = systemClock): RunPlugin {
  return (type, environmentOfCall, input) =>
    new Promise((resolve, reject) => {
      const command = environmentOfCall['CNI_COMMAND'] ?? '';
      const child = spawn(join(directory, process.platform === 'win32' ? `${type}.exe` : type), [], {
        env: { ...process.env, ...environmentOfCall, CNI_PATH: directory },
        windowsHide: true,
      });
      let output = '';
      let errors = '';
      const fail = (reason: string): void => reject(new CniFailure(type, command, reason));
      child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
      child.stderr.on('data', (bytes: Buffer) => {
        if (errors.length < maxErrorText) errors += bytes.toString();
      });
      // Not waited for any longer even if a child of it, such as an address plugin, holds its output open.
      const cancelLimit = clock.after(timeoutMs, () => {
        child.kill('SIGKILL');
        child.stdout.destroy();
        child.stderr.destroy();
        fail(`it did not end within ${timeoutMs / 1000} s: ${errors}`.trim());
      });
      child.on('error', (error) => fail(error.message));
      child.on('close', (code, signal) => {
        cancelLimit();
        if (code === 0) resolve(output);
        else fail(reasonOf(output) ?? `${errors} (${signal ?? code})`.trim());
      });
      // A plugin that has died already does not take its input.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
    });
}

/** A plugin that fails says why as a document on standard output. */
function reasonOf(output: string): string | undefined {
  try {
    const { msg, details } = JSON.parse(output) as { msg?: string; details?: string };
    return msg === undefined
      ? undefined
      : [msg, details].filter((text) => text !== undefined && text !== '').join(': ');
  } catch {
    return undefined;
  }
}
