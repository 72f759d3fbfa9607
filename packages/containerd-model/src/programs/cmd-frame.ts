import type { StandIns } from './other-programs.ts';
import { absolutePath, type ProgramContext } from './program.ts';

/** What a command of cmd sees, and leaves for those behind it. */
export interface Frame {
  readonly context: ProgramContext;
  /** By name in capitals. */
  readonly env: Map<string, { name: string; value: string }>;
  cwd: string;
  status: number;
  readonly out: (bytes: string | Uint8Array) => void;
  readonly err: (text: string) => void;
  readonly input: () => AsyncIterable<Uint8Array>;
  readonly standIns: StandIns;
}
export class Exit extends Error {
  readonly code: number;
  /** `exit /b`: a batch file ends, and what called it goes on. */
  readonly onlyBatch: boolean;

  constructor(code: number, onlyBatch: boolean) {
    super(`exit ${code}`);
    this.code = code;
    this.onlyBatch = onlyBatch;
  }
}

/** cmd fills in variables before it reads the line; one that is not set stays as it is. */
export function expand(script: string, frame: Frame): string {
  return script.replace(/%([^%\s]+)%/g, (whole, name: string) => {
    if (name.toUpperCase() === 'CD') return frame.cwd;
    if (name.toUpperCase() === 'ERRORLEVEL') return String(frame.status);
    return frame.env.get(name.toUpperCase())?.value ?? whole;
  });
}

export function read(path: string, frame: Frame): Uint8Array {
  const place = frame.context.at(absolutePath(path, frame.cwd));
  const bytes = place.tree.readFile(place.path);
  if (!bytes) throw new Error('The system cannot find the file specified.');
  return bytes;
}

export function directory(path: string, frame: Frame): string {
  const target = absolutePath(path, frame.cwd);
  const place = frame.context.at(target);
  if (place.tree.resolve(place.path).entry?.kind !== 'directory') {
    throw new Error('The system cannot find the path specified.');
  }
  return target;
}

export function writable(path: string, frame: Frame): ReturnType<ProgramContext['at']> {
  const place = frame.context.at(absolutePath(path, frame.cwd));
  if (place.readonly) throw new Error('Access is denied.');
  return place;
}

export function fileWriter(path: string, append: boolean, frame: Frame): (bytes: string | Uint8Array) => void {
  if (path.toLowerCase() === 'nul') return () => undefined;
  const place = writable(path, frame);
  const mtimeMs = frame.context.clock.now();
  let content = Buffer.from(append ? (place.tree.readFile(place.path) ?? '') : '');
  place.tree.writeFile(place.path, new Uint8Array(content), { mtimeMs });
  return (bytes) => {
    content = Buffer.concat([content, Buffer.from(bytes as Uint8Array)]);
    place.tree.writeFile(place.path, new Uint8Array(content), { mtimeMs });
  };
}

export function text(bytes: string | Uint8Array): string {
  return typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString();
}
