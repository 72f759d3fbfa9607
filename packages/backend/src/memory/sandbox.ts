import { cancelled, LoamError, systemClock, type Clock } from '@loam/base';

import type { Owner } from '../platform.ts';
import type { RunExit, RunIo, RunRequest, Sandbox } from '../sandbox.ts';
import { FileTree } from './file-tree.ts';
import { runShell, type ProgramEnvironment } from './shell.ts';
import type { MemoryStore } from './store.ts';

/** What runs in place of a real process. It must settle soon after `signal` aborts; how does not matter then. */
export type Program = (environment: ProgramEnvironment) => Promise<RunExit>;

export interface MemorySandboxOptions {
  readonly store: MemoryStore;
  readonly clock?: Clock;
  /** The small shell unless told; a test scripts its own. */
  readonly program?: Program;
}

/** The sandbox in memory. Runs a program on the working tree of a `MemoryStore`. */
export class MemorySandbox implements Sandbox {
  /** Every run that was started, in order. */
  readonly runs: RunRequest[] = [];
  readonly #store: MemoryStore;
  readonly #clock: Clock;
  readonly #program: Program;
  readonly #running = new Set<RunRequest>();

  constructor(options: MemorySandboxOptions) {
    this.#store = options.store;
    this.#clock = options.clock ?? systemClock;
    this.#program = options.program ?? runShell;
  }

  /** A line for each process that runs now. */
  leftovers(): string[] {
    return [...this.#running].map((request) => `task ${request.label}`);
  }

  async run(request: RunRequest, io: RunIo, signal: AbortSignal): Promise<RunExit> {
    if (signal.aborted) throw cancelled();
    const tree = this.#store.workingTree(request.working);
    const owner = tree.owner(request.user);
    findCommand(request, tree);
    tree.makeDirectories(request.workdir);
    this.runs.push(request);
    this.#running.add(request);
    const ending = new AbortController();
    const stopWaiting = new AbortController();
    try {
      const program = this.#program(this.#environment(request, io, tree, owner, ending.signal));
      const ended = await Promise.race([program, this.#end(request, signal, stopWaiting.signal)]);
      ending.abort();
      // Proof that nothing runs: the program has settled, whatever it says about having been stopped.
      await program.catch(() => undefined);
      if (ended === 'cancelled') throw cancelled();
      return ended;
    } finally {
      ending.abort();
      stopWaiting.abort();
      this.#running.delete(request);
    }
  }

  /** Settles when the run must end before its program has. */
  #end(request: RunRequest, signal: AbortSignal, stop: AbortSignal): Promise<'cancelled' | RunExit> {
    return new Promise((resolve) => {
      const onAbort = (): void => resolve('cancelled');
      // A program that answers at once may have led to the abort already.
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort);
      const timer =
        request.timeoutMs === undefined
          ? undefined
          : this.#clock.after(request.timeoutMs, () => resolve({ kind: 'timed-out' }));
      stop.addEventListener('abort', () => {
        signal.removeEventListener('abort', onAbort);
        timer?.();
      });
    });
  }

  #environment(request: RunRequest, io: RunIo, tree: FileTree, owner: Owner, signal: AbortSignal): ProgramEnvironment {
    const mounts = new Map<string, { tree: FileTree; readonly: boolean }>();
    for (const mount of request.mounts) {
      tree.makeDirectories(mount.target);
      mounts.set(mount.target, { tree: this.#store.cacheTree(mount.source), readonly: mount.readonly });
    }
    for (const secret of request.secrets) {
      const files = new FileTree();
      const { uid, gid } = owner;
      files.writeFile('value', secret.value, { uid, gid, mode: 0o400 });
      mounts.set(secret.target, { tree: files, readonly: true });
    }
    const secretTargets = new Set(request.secrets.map((secret) => secret.target));
    return {
      request,
      owner,
      clock: this.#clock,
      signal,
      output: (stream, text) => {
        if (!signal.aborted)
          io.onOutput(stream, typeof text === 'string' ? new TextEncoder().encode(text) : text.slice());
      },
      stdin: async () => {
        let text = '';
        for await (const bytes of io.stdin ?? []) text += Buffer.from(bytes).toString();
        return text;
      },
      at: (path) => {
        for (const [target, mount] of mounts) {
          if (path === target && secretTargets.has(target)) return { ...mount, path: 'value' };
          if (path === target || path.startsWith(`${target}/`)) return { ...mount, path: path.slice(target.length) };
        }
        return { tree, path, readonly: false };
      },
    };
  }
}

function findCommand(request: RunRequest, tree: FileTree): void {
  const [command = ''] = request.argv;
  const env = new Map(request.env);
  const directories = command.includes('/') ? [''] : (env.get('PATH') ?? '/usr/bin:/bin').split(':');
  const found = directories.some((directory) => tree.readFile(`${directory}/${command}`) !== undefined);
  if (!found) throw LoamError.of('backend.command-not-found', { command });
}
