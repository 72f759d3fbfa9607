import { sleep, type Clock } from '@loam/base';

import type { Owner } from '../platform.ts';
import type { OutputStream, RunExit, RunRequest } from '../sandbox.ts';
import type { FileTree } from './file-tree.ts';
import { parseShell, type Command, type Script, type Word } from './shell-parser.ts';

/** The files that a program works on: those of the double, or of another test's model. */
export type ProgramTree = Pick<
  FileTree,
  'resolve' | 'readFile' | 'writeFile' | 'makeDirectories' | 'remove' | 'change' | 'symlink' | 'link'
>;

/** What a program of the double sees of its container. */
export interface ProgramEnvironment {
  readonly request: RunRequest;
  readonly owner: Owner;
  readonly clock: Clock;
  /** Aborts when the program must end: cancelled, timed out, or its first process has ended. */
  readonly signal: AbortSignal;
  readonly output: (stream: OutputStream, text: string | Uint8Array) => void;
  readonly stdin: () => Promise<string>;
  /** The tree behind a path, mounts considered, and the path in it. */
  readonly at: (path: string) => { tree: ProgramTree; path: string; readonly: boolean };
}

/** The program asked for more memory than it may have. */
class OutOfMemory extends Error {}
class Exit extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

interface Frame {
  readonly env: Map<string, string>;
  cwd: string;
  status: number;
}
type Streams = { readonly out: (text: string | Uint8Array) => void; readonly err: (text: string) => void };

/**
 * Runs `[…, SCRIPT]` as a small POSIX shell: lists, `&&`, `||`, groups, `&`, redirections and a dozen commands. Enough for
 * the conformance suite and for demonstrations; a command that it does not have ends with 127, as in a real shell.
 */
export async function runShell(environment: ProgramEnvironment): Promise<RunExit> {
  const { request } = environment;
  const frame: Frame = { env: new Map(request.env), cwd: request.workdir, status: 0 };
  const streams: Streams = {
    out: (text) => environment.output('stdout', text),
    err: (text) => environment.output('stderr', text),
  };
  try {
    await runScript(parseShell(request.argv.at(-1) ?? ''), frame, streams, environment);
    return { kind: 'exited', code: frame.status };
  } catch (error) {
    if (error instanceof Exit) return { kind: 'exited', code: error.status };
    if (error instanceof OutOfMemory) return { kind: 'out-of-memory' };
    throw error;
  }
}

async function runScript(
  script: Script,
  frame: Frame,
  streams: Streams,
  environment: ProgramEnvironment,
): Promise<void> {
  for (const { join, command, background } of script) {
    environment.signal.throwIfAborted();
    if (join === 'on-success' && frame.status !== 0) continue;
    if (join === 'on-failure' && frame.status === 0) continue;
    if (background) {
      // It ends by itself or with the container; how does not matter to anybody.
      runCommand(command, { ...frame, env: new Map(frame.env) }, streams, environment).catch(() => undefined);
      frame.status = 0;
    } else await runCommand(command, frame, streams, environment);
  }
}

async function runCommand(
  command: Command,
  frame: Frame,
  streams: Streams,
  environment: ProgramEnvironment,
): Promise<void> {
  if (command.kind === 'group') {
    const inner: Frame = { ...frame, env: new Map(frame.env) };
    try {
      await runScript(command.script, inner, streams, environment);
      frame.status = inner.status;
    } catch (error) {
      if (!(error instanceof Exit)) throw error;
      frame.status = error.status;
    }
    return;
  }
  const expand = (word: Word): string =>
    word.map((piece) => (piece.kind === 'text' ? piece.text : variable(piece.name, frame))).join('');
  let { out, err } = streams;
  let input = environment.stdin;
  try {
    for (const { kind, word } of command.redirections) {
      const path = expand(word);
      if (kind === '>&2') out = streams.err as Streams['out'];
      else if (kind === '2>&1') err = out;
      else if (kind === '<') input = () => Promise.resolve(readText(path, frame, environment));
      else out = fileWriter(path, kind === '>>', frame, environment);
    }
    const [name = ':', ...args] = command.words.map(expand);
    frame.status = await runBuiltin(name, args, frame, { out, err }, input, environment);
  } catch (error) {
    if (error instanceof Exit || error instanceof OutOfMemory || environment.signal.aborted) throw error;
    streams.err(`sh: ${error instanceof Error ? error.message : String(error)}\n`);
    frame.status = 1;
  }
}

function variable(name: string, frame: Frame): string {
  return name === '?' ? String(frame.status) : (frame.env.get(name) ?? '');
}

function absolute(path: string, frame: Frame): string {
  return path.startsWith('/') ? path : `${frame.cwd}/${path}`;
}

function readText(path: string, frame: Frame, environment: ProgramEnvironment): string {
  const place = environment.at(absolute(path, frame));
  const bytes = place.tree.readFile(place.path);
  if (!bytes) throw new Error(`${path}: No such file or directory`);
  return Buffer.from(bytes).toString();
}

function fileWriter(path: string, append: boolean, frame: Frame, environment: ProgramEnvironment): Streams['out'] {
  const place = environment.at(absolute(path, frame));
  if (place.readonly) throw new Error(`${path}: Read-only file system`);
  const { uid, gid } = environment.owner;
  const mtimeMs = environment.clock.now();
  let content = Buffer.from(append ? (place.tree.readFile(place.path) ?? '') : '');
  place.tree.writeFile(place.path, content, { uid, gid, mtimeMs });
  return (text) => {
    content = Buffer.concat([content, Buffer.from(text)]);
    place.tree.writeFile(place.path, content, { uid, gid, mtimeMs });
  };
}

type Builtin = (context: {
  readonly args: string[];
  readonly frame: Frame;
  readonly out: Streams['out'];
  readonly err: Streams['err'];
  readonly input: () => Promise<string>;
  readonly environment: ProgramEnvironment;
}) => Promise<number> | number;

function runBuiltin(
  name: string,
  args: string[],
  frame: Frame,
  streams: Streams,
  input: () => Promise<string>,
  environment: ProgramEnvironment,
): Promise<number> | number {
  const builtin = builtins.get(name);
  if (builtin) return builtin({ args, frame, ...streams, input, environment });
  streams.err(`sh: ${name}: not found\n`);
  return 127;
}

const chunk = Buffer.alloc(65_536);

const builtins = new Map<string, Builtin>([
  [':', () => 0],
  ['true', () => 0],
  ['false', () => 1],
  ['echo', ({ args, out }) => (out(`${args.join(' ')}\n`), 0)],
  [
    'exit',
    ({ args, frame }) => {
      throw new Exit(Number(args[0] ?? frame.status));
    },
  ],
  ['pwd', ({ frame, out }) => (out(`${frame.cwd}\n`), 0)],
  [
    'cd',
    ({ args, frame, environment }) => {
      const target = absolute(args[0] ?? '/', frame);
      const place = environment.at(target);
      if (place.tree.resolve(place.path).entry?.kind !== 'directory') throw new Error(`${args[0]}: No such directory`);
      frame.cwd = target;
      return 0;
    },
  ],
  ['hostname', ({ out, environment }) => (out(`${environment.request.hostname}\n`), 0)],
  [
    'id',
    ({ args, out, environment: { owner } }) => {
      out(`${args[0] === '-u' ? owner.uid : args[0] === '-g' ? owner.gid : `${owner.uid}:${owner.gid}`}\n`);
      return 0;
    },
  ],
  [
    'printenv',
    ({ args, frame, out }) => {
      const value = frame.env.get(args[0] ?? '');
      if (value !== undefined) out(`${value}\n`);
      return value === undefined ? 1 : 0;
    },
  ],
  [
    'cat',
    async ({ args, frame, out, input, environment }) => {
      if (args.length === 0) out(await input());
      for (const path of args) {
        if (path === '/proc/net/dev') out(networkInterfaces(environment.request));
        else out(readText(path, frame, environment));
      }
      return 0;
    },
  ],
  [
    'sleep',
    async ({ args, environment }) => (await sleep(environment.clock, Number(args[0]) * 1000, environment.signal), 0),
  ],
  [
    'mkdir',
    ({ args, frame, environment }) => {
      const { uid, gid } = environment.owner;
      for (const path of args.filter((arg) => arg !== '-p')) {
        const place = environment.at(absolute(path, frame));
        if (place.readonly) throw new Error(`${path}: Read-only file system`);
        place.tree.makeDirectories(place.path, { uid, gid, mtimeMs: environment.clock.now() });
      }
      return 0;
    },
  ],
  [
    'rm',
    ({ args, frame, environment }) => {
      for (const path of args.filter((arg) => !arg.startsWith('-'))) {
        const place = environment.at(absolute(path, frame));
        if (place.readonly) throw new Error(`${path}: Read-only file system`);
        place.tree.remove(place.path);
      }
      return 0;
    },
  ],
  [
    'chmod',
    ({ args, frame, environment }) => {
      for (const path of args.slice(1)) {
        const place = environment.at(absolute(path, frame));
        place.tree.change(place.path, { mode: Number.parseInt(args[0] ?? '644', 8) });
      }
      return 0;
    },
  ],
  [
    'ln',
    ({ args, frame, environment }) => {
      const [target = '', path = ''] = args.filter((arg) => arg !== '-s');
      const place = environment.at(absolute(path, frame));
      if (args[0] === '-s') place.tree.symlink(place.path, target);
      else place.tree.link(place.path, environment.at(absolute(target, frame)).path);
      return 0;
    },
  ],
  [
    'test',
    ({ args: [flag, path = ''], frame, environment }) => {
      const place = environment.at(absolute(path, frame));
      const kind = place.tree.resolve(place.path).entry?.kind;
      return (flag === '-d' ? kind === 'directory' : flag === '-f' ? kind === 'file' : kind !== undefined) ? 0 : 1;
    },
  ],
  [
    'stat',
    ({ args: [, format = '', path = ''], frame, out, environment }) => {
      const place = environment.at(absolute(path, frame));
      const entry = place.tree.resolve(place.path).entry;
      if (!entry) throw new Error(`${path}: No such file or directory`);
      const values: Record<string, string> = {
        '%u': String(entry.uid),
        '%g': String(entry.gid),
        '%a': entry.mode.toString(8),
        '%Y': String(Math.floor(entry.mtimeMs / 1000)),
      };
      out(`${format.replace(/%[ugaY]/g, (key) => values[key] ?? key)}\n`);
      return 0;
    },
  ],
  [
    'head',
    ({ args, out }) => {
      for (let left = Number(args[1]); left > 0; left -= chunk.length) out(chunk.subarray(0, left));
      return 0;
    },
  ],
  [
    'tail',
    ({ environment }) => {
      // `tail` of an endless file without line ends keeps all of it: the usual way to run out of memory.
      if (environment.request.limits.memoryBytes === undefined) throw new Error('tail: no memory limit to run into');
      throw new OutOfMemory();
    },
  ],
]);

function networkInterfaces(request: RunRequest): string {
  const names = request.network === 'none' ? ['lo'] : ['lo', 'eth0'];
  return `Inter-|   Receive\n face |bytes\n${names.map((name) => `  ${name}: 0 0\n`).join('')}`;
}
