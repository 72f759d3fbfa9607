import { LoamError } from '@loam/base';

/** Meanings of exit codes that Windows gives, and what to do (reference §7.1). Names: NTSTATUS and HRESULT values. */
const meanings: ReadonlyMap<number, string> = new Map([
  [0xc0000005, 'access violation: the program crashed'],
  [0xc0000017, 'no memory: raise the memory limit'],
  [0xc000012d, 'commit limit reached: raise the memory limit, or the page file of the host'],
  [0xc000001d, 'illegal instruction: the program needs a processor feature that the host lacks'],
  [0xc00000fd, 'stack overflow'],
  [0xc0000135, 'a DLL was not found: the image may lack the Visual C++ runtime, which Nano Server does not have'],
  [0xc0000139, 'a DLL lacks an entry point: the image may have another version of a runtime'],
  [0xc000013a, 'ended by Ctrl-C, Ctrl-Break or a closed console'],
  [
    0xc0000142,
    'a DLL failed to start: the patch levels of base image and host may be too far apart; pull the image anew',
  ],
  [0xc0000409, 'fail-fast: the program found its own state broken and stopped'],
]);

const noMemory: ReadonlySet<number> = new Set([0xc0000017, 0xc000012d]);
/** What the shim says when it could not obtain the code (hcsshim#790, #813, #863). */
const unknownCode = 0xffffffff;
/** The compute system exited unexpectedly, as NTSTATUS and as HRESULT. */
const unexpectedExits: ReadonlySet<number> = new Set([0xc0370106, 0x80370106]);

/** From here on codes are statuses rather than numbers that programs choose. */
const firstStatus = 0x80000000;

/** An exit code as a reader needs it: in hex with its meaning when Windows gave it; undefined for an ordinary one. */
export function describeExitCode(code: number): string | undefined {
  if (code < firstStatus) return undefined;
  const meaning = meanings.get(code);
  const hex = `0x${code.toString(16).toUpperCase().padStart(8, '0')}`;
  return meaning === undefined ? hex : `${hex} (${meaning})`;
}

/** Whether an exit code says that the step had too little memory. */
export function saysOutOfMemory(code: number): boolean {
  return noMemory.has(code);
}

/** The failure of the host behind an exit code that is not the step's own doing; undefined when it is (reference §7.1, §10 #33, #34). */
export function lostTask(code: number): LoamError | undefined {
  if (code === unknownCode) return LoamError.of('backend.task-lost', { reason: 'its exit code is unknown' });
  return unexpectedExits.has(code)
    ? LoamError.of('backend.task-lost', { reason: 'it exited unexpectedly (0xC0370106)' })
    : undefined;
}
