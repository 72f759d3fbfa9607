import type net from 'node:net';

import { fail } from '../grpc-codes.ts';
import { CommitLimitError, volumePath, type Program, type ProgramContext } from '../programs/program.ts';
import { joinArguments, splitCommandLine } from './command-line.ts';
import { exitCode, signalAction, type ConsoleEvent } from './console-signals.ts';
import type { ContainerView } from './container-view.ts';
import { isKnownUser, usersFile } from './host.ts';
import type { OutputRelay } from './pipe-relay.ts';
import type { ProcessSpec } from './spec-check.ts';

export interface ProcessPlace {
  readonly view: ContainerView;
  readonly hostname: string;
  readonly hasNetwork: boolean;
  readonly memoryLimitBytes: number | undefined;
  readonly clock: ProgramContext['clock'];
  readonly program: Program;
  /** Programs that are found in every image, whether it has them or not. */
  readonly presentPrograms: readonly string[];
}

export interface ProcessIo {
  readonly paths: { readonly stdin: string; readonly stdout: string; readonly stderr: string };
  readonly stdin: net.Socket | undefined;
  readonly stdout: OutputRelay;
  readonly stderr: OutputRelay;
}

export type ProcessStatus = 'created' | 'running' | 'stopped';

/** One process of a container: its program, its pipes and its end. */
export class ModelProcess {
  readonly id: string;
  readonly pid: number;
  readonly io: ProcessIo;
  status: ProcessStatus = 'created';
  exitStatus: number = exitCode.shimGone;
  exitedAtMs = 0;
  readonly #spec: ProcessSpec;
  readonly #place: ProcessPlace;
  readonly #terminated = new AbortController();
  readonly #exited = Promise.withResolvers<void>();
  readonly #holders = new Set<object>();
  #allReleased: () => void = () => undefined;
  #onConsole: ((event: ConsoleEvent) => void) | undefined;
  /** How the process was ended from outside, if it was. */
  #forced: number | undefined;

  constructor(id: string, pid: number, spec: ProcessSpec, place: ProcessPlace, io: ProcessIo) {
    this.id = id;
    this.pid = pid;
    this.io = io;
    this.#spec = spec;
    this.#place = place;
  }

  /** Resolves when the process has ended; its output may still be on its way (reference §5.2). */
  get exited(): Promise<void> {
    return this.#exited.promise;
  }

  /** Starts the program; what HCS refuses is thrown, and the process counts as one that ended with 1 (reference §5.4). */
  start(): void {
    if (this.status !== 'created') throw fail.precondition(`process ${this.id} is ${this.status}`);
    const commandLine = this.#spec.commandLine || joinArguments(this.#spec.args ?? []);
    try {
      this.#check(commandLine);
    } catch (error) {
      this.#end(exitCode.neverRan);
      throw error;
    }
    this.status = 'running';
    void this.#run(commandLine);
  }

  /** `Tasks.Kill` (reference §7.2). Console events are delivered later, if at all. */
  kill(signal: number): void {
    const action = signalAction(signal);
    if (this.status === 'stopped') throw fail.notFound(`process ${this.id}: hcs::Process: process has already exited`);
    if (this.status === 'created') this.#end(exitCode.neverRan);
    else if (action === 'terminate') this.terminate(exitCode.terminated);
    else setImmediate(() => this.#deliver(action));
  }

  /** Ends the program with that code, whatever it says itself. */
  terminate(code: number): void {
    if (this.status === 'created') this.#end(code);
    this.#forced ??= code;
    this.#terminated.abort();
  }

  /** Resolves when no grandchild holds the outputs open any more. */
  async released(): Promise<void> {
    if (this.#holders.size > 0) await new Promise<void>((resolve) => (this.#allReleased = resolve));
  }

  /** Ends what the program left running in the background. */
  teardown(): void {
    this.#terminated.abort();
    this.io.stdin?.destroy();
  }

  #deliver(event: ConsoleEvent): void {
    if (this.status !== 'running') return;
    if (this.#onConsole) this.#onConsole(event);
    else this.terminate(exitCode.controlC);
  }

  async #run(commandLine: string): Promise<void> {
    let code: number;
    try {
      code = await this.#place.program(this.#context(commandLine));
    } catch (error) {
      if (error instanceof CommitLimitError) code = exitCode.commitLimit;
      else {
        code = this.#forced ?? exitCode.neverRan;
        if (!this.#terminated.signal.aborted) this.#write('stderr', `the model's program failed: ${String(error)}\r\n`);
      }
    }
    // It could not have written all of its output, and ended, before most of that was taken.
    const { stdout, stderr } = this.io;
    if (!this.#terminated.signal.aborted) {
      const ended = new Promise((resolve) => this.#terminated.signal.addEventListener('abort', resolve));
      await Promise.race([Promise.all([stdout.taken(), stderr.taken()]), ended]);
    }
    this.#end(this.#forced ?? code >>> 0);
  }

  #end(code: number): void {
    if (this.status === 'stopped') return;
    this.status = 'stopped';
    this.exitStatus = code;
    this.exitedAtMs = this.#place.clock.now();
    this.#exited.resolve();
  }

  #check(commandLine: string): void {
    const { view } = this.#place;
    const username = this.#spec.user?.username ?? '';
    const localUsers = Buffer.from(view.tree.readFile(usersFile) ?? '')
      .toString()
      .split(/\s*\n\s*/);
    if (!isKnownUser(username, localUsers)) {
      // The reference says which users there are, not what is said of others: this is ERROR_LOGON_FAILURE, unverified.
      throw fail.unknown(`hcs::System::CreateProcess ${this.id}: The user name or password is incorrect. (0x52e)`);
    }
    const cwd = view.at(this.#spec.cwd || 'C:\\');
    if (cwd.tree.resolve(cwd.path).entry?.kind !== 'directory') {
      throw fail.unknown(`hcs::System::CreateProcess ${this.id}: The directory name is invalid. (0x10b)`);
    }
    const [command = ''] = splitCommandLine(commandLine);
    if (!this.#finds(command)) {
      throw fail.unknown(`hcs::System::CreateProcess ${this.id}: The system cannot find the file specified.`);
    }
  }

  /** As CreateProcess looks: the path itself, or System32, Windows and the PATH, with `.exe` when it has no extension. */
  #finds(command: string): boolean {
    const hasPath = /[\\/]/.test(command);
    const path = this.#environment().get('Path') ?? this.#environment().get('PATH') ?? '';
    const cwd = this.#spec.cwd || 'C:\\';
    const folders = hasPath
      ? [/^(?:[A-Za-z]:)?[\\/]/.test(command) ? '' : volumePath(cwd)]
      : ['Windows/System32', 'Windows', ...path.split(/[;:](?![\\/]?$)/).map(volumePath)];
    const name = hasPath ? volumePath(command) : command;
    const base = name.toLowerCase().replace(/^.*\//, '');
    if (this.#place.presentPrograms.includes(base.replace(/\.exe$/, ''))) return true;
    const names = /\.[a-z]{3}$/i.test(name) ? [name] : [name, `${name}.exe`];
    const { tree } = this.#place.view;
    return folders.some((folder) => names.some((each) => tree.readFile(`${folder}/${each}`) !== undefined));
  }

  #context(commandLine: string): ProgramContext {
    const { view, hostname, hasNetwork, memoryLimitBytes, clock } = this.#place;
    return {
      commandLine,
      argv: splitCommandLine(commandLine),
      cwd: this.#spec.cwd || 'C:\\',
      env: this.#environment(),
      user: this.#spec.user?.username ?? '',
      hostname,
      hasNetwork,
      memoryLimitBytes,
      clock,
      signal: this.#terminated.signal,
      onConsoleEvent: (handler) => (this.#onConsole = handler),
      output: (stream, bytes) => this.#write(stream, bytes),
      stdin: () => this.#input(),
      holdOutputs: () => {
        const holder = {};
        this.#holders.add(holder);
        return () => {
          this.#holders.delete(holder);
          if (this.#holders.size === 0) this.#allReleased();
        };
      },
      at: (path) => view.at(path),
    };
  }

  /** Entries with an empty value are dropped: HCS takes a map in which they mean unset (reference §4.3). */
  #environment(): Map<string, string> {
    const env = new Map<string, string>();
    for (const entry of this.#spec.env ?? []) {
      const at = entry.indexOf('=', 1);
      if (at < 0 || entry.slice(at + 1) === '') continue;
      const name = entry.slice(0, at);
      const known = [...env.keys()].find((other) => other.toUpperCase() === name.toUpperCase());
      if (known !== undefined) env.delete(known);
      env.set(name, entry.slice(at + 1));
    }
    return env;
  }

  #write(stream: 'stdout' | 'stderr', bytes: Uint8Array | string): void {
    this.io[stream].write(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
  }

  async *#input(): AsyncIterable<Uint8Array> {
    const socket = this.io.stdin;
    if (!socket || socket.destroyed) return;
    const close = (): void => void socket.destroy();
    this.#terminated.signal.addEventListener('abort', close, { once: true });
    try {
      for await (const bytes of socket) yield bytes as Uint8Array;
    } catch (error) {
      // Closed by CloseIO or by the end of the process: the program reads no more.
      if (!socket.destroyed) throw error;
    }
  }
}
