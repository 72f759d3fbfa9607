import { splitCommandLine } from '../runtime/command-line.ts';
import { absolutePath, type ProgramContext } from './program.ts';

/** What a test gives in place of a program that the model does not know. */
export interface StandInCall {
  /** As most programs split their command line. */
  readonly args: readonly string[];
  readonly cwd: string;
  /** The value of a variable, whatever the case of its name. */
  readonly variable: (name: string) => string | undefined;
  readonly hasNetwork: boolean;
  /** Text of a file, relative to the working directory. @throws Error when there is none */
  readonly read: (path: string) => string;
  /** Writes a file, with the directories on the way. */
  readonly write: (path: string, text: string) => void;
  readonly out: (line: string) => void;
}

/** Plays a Windows program and gives its exit code. It does what the test needs, and nothing of what the program does. */
export type StandIn = (call: StandInCall) => number;

/** By the name of the program in lower case, without `.exe`. */
export type StandIns = Readonly<Record<string, StandIn>>;

/** What cmd-shell knows of the process. */
interface Caller {
  readonly context: ProgramContext;
  readonly env: ReadonlyMap<string, { readonly value: string }>;
  readonly cwd: string;
  readonly out: (bytes: string) => void;
}

/** `C:\a\CL.exe` → `cl` */
export function programName(command: string): string {
  return (command.split(/[\\/]/).at(-1) ?? '').toLowerCase().replace(/\.exe$/, '');
}

/** Where cmd finds a command: by its path, or in the working directory, then the PATH, then what a base image always has. */
export function findProgram(command: string, { context, env, cwd }: Caller): string | undefined {
  const folders = /[\\/]/.test(command)
    ? [cwd]
    : [cwd, ...(env.get('PATH')?.value ?? '').split(';'), 'C:\\Windows\\System32', 'C:\\Windows'];
  const names = /\.(?:exe|cmd|bat)$/i.test(command)
    ? [command]
    : ['.exe', '.bat', '.cmd'].map((extension) => command + extension);
  for (const folder of folders.filter(Boolean)) {
    for (const name of names) {
      const path = absolutePath(name, folder);
      const place = context.at(path);
      if (place.tree.resolve(place.path).entry?.kind === 'file') return path;
    }
  }
  return undefined;
}

export function standInCall(commandLine: string, { context, env, cwd, out }: Caller): StandInCall {
  const at = (path: string): ReturnType<ProgramContext['at']> => context.at(absolutePath(path, cwd));
  return {
    args: splitCommandLine(commandLine).slice(1),
    cwd,
    variable: (name) => env.get(name.toUpperCase())?.value,
    hasNetwork: context.hasNetwork,
    read(path) {
      const { tree, path: inside } = at(path);
      const bytes = tree.readFile(inside);
      if (!bytes) throw new Error(`${path}: The system cannot find the file specified.`);
      return Buffer.from(bytes).toString();
    },
    write(path, text) {
      const { tree, path: inside, readonly } = at(path);
      if (readonly) throw new Error('Access is denied.');
      const mtimeMs = context.clock.now();
      const parent = inside.split('/').slice(0, -1).join('/');
      if (parent !== '') tree.makeDirectories(parent, { mtimeMs });
      tree.writeFile(inside, text, { mtimeMs });
    },
    out: (line) => out(`${line}\r\n`),
  };
}
