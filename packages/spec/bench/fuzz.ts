/*
 * Feeds the reader random and mutated specs and checks what must hold for every input. No services, one process:
 *
 *   node packages/spec/bench/fuzz.ts [inputs = 1000000] [seed = 1]
 *
 * Prints a line every 100,000 inputs; ends with 1 at the first input that breaks a promise, after printing it.
 */
import {
  checkSpec,
  dockerfileLosses,
  formatSpec,
  highlight,
  parseSpec,
  printOp,
  printSpec,
  printSpecMachine,
} from '../src/index.ts';
import { toDockerfile, withoutRanges } from '../src/index.ts';
import type { Op, Spec } from '../src/index.ts';

const inputs = Number(process.argv[2] ?? 1_000_000);
const seed = Number(process.argv[3] ?? 1);
const random = generator(seed);

/** Time on the processor that an input may take; the slowest is reported. */
const limitMs = 1000;

const scraps = [
  ['(', ')', '((', '))', '"', '\\', ';', '#', '|', '#|', '|#', '#;', ' ', '\n', '\r', '\r\n', '\t', '\f', '\0'],
  ['\\n', '\\065', '\\x41', '\\x4', '\\25', '\\999', '\\\n  ', '\\\r', '\udcc3', '\ud800', 'é', '🚀', '\ufeff'],
  ['from', 'build', 'comment', 'workdir', 'shell', 'run', 'copy', 'user', 'env', 'cache', 'network', 'secrets'],
  ['src', 'dst', 'exclude', 'uid', 'gid', 'name', 'target', 'buildkit_options', 'context', 'a', 'dev', '0x1f', '-1'],
  ['(from a)', '(run (shell x))', '(copy (src .) (dst b))', '(build a ((from x)))', '"C:\\temp"', '"\\195\\169"'],
].flat();
const words = [
  'a',
  'b',
  'dev',
  'busybox',
  '"a b"',
  '"x\\ny"',
  '""',
  '1000',
  '0x1f',
  '"\\195"',
  'C:\\src',
  '"C:\\temp"',
  '.',
];

/** Blanks and comments for between two words; in a string they are its content. */
const gaps = [
  ' ; c\n',
  '\n; c (\n\n',
  ' #|c|# ',
  '\n#|c\n|#\n',
  ' #;x ',
  '\n\n',
  '\r\n',
  ' #; #|c|# (d) ',
  ' #; #; a ; c\n b ',
];

const counts = { valid: 0, invalid: 0, slowestMs: 0 };
const begin = performance.now();
for (let i = 1; i <= inputs; i++) {
  const text = makeInput(i);
  const complaint = examine(text);
  if (complaint !== undefined) {
    console.error(`seed ${seed}, input ${i}: ${complaint}\n${JSON.stringify(text)}`);
    process.exit(1);
  }
  if (i % 100_000 === 0 || i === inputs) {
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    console.log(
      `${i} inputs in ${seconds} s: ${counts.valid} valid, ${counts.invalid} invalid, slowest ${counts.slowestMs.toFixed(1)} ms`,
    );
  }
}

/** What is wrong with how we take a text, if anything is. */
function examine(text: string): string | undefined {
  const before = process.threadCpuUsage();
  let result;
  try {
    result = checkSpec(text, { secrets: ['token'] });
    highlight(text);
    formatSpec(text);
  } catch (error) {
    return `threw ${String(error)}`;
  }
  const { user, system } = process.threadCpuUsage(before);
  const tookMs = (user + system) / 1000;
  counts.slowestMs = Math.max(counts.slowestMs, tookMs);
  if (tookMs > limitMs) return `took ${tookMs} ms`;
  const misplaced = examineFormat(text, result.spec);
  if (misplaced !== undefined) return misplaced;
  for (const { range, message } of result.diagnostics) {
    const { start, end } = range;
    if (start.offset < 0 || end.offset < start.offset || end.offset > text.length)
      return `range out of bounds: ${message}`;
    if (start.line < 1 || start.column < 1) return `position below 1: ${message}`;
  }
  const failed = result.diagnostics.some(({ severity }) => severity === 'error');
  if (failed === (result.spec !== undefined)) return 'neither a spec nor an error, or both';
  if (result.spec === undefined) counts.invalid++;
  else {
    counts.valid++;
    return examineSpec(result.spec);
  }
  return undefined;
}

/** What is wrong with how a text is laid out: only blanks may differ, and none the second time. */
function examineFormat(text: string, spec: Spec | undefined): string | undefined {
  const formatted = formatSpec(text);
  if (formatted === undefined) return spec === undefined ? undefined : 'a spec is not formatted';
  if (formatSpec(formatted) !== formatted) return `formatting again differs: ${formatted}`;
  if (essence(formatted) !== essence(text)) return `formatting changed more than blanks: ${formatted}`;
  if (spec === undefined) return undefined;
  const again = parseSpec(formatted).spec;
  if (again !== undefined && JSON.stringify(withoutRanges(again)) === JSON.stringify(withoutRanges(spec)))
    return undefined;
  return `formatting changed what is meant: ${formatted}`;
}

/** A text without blanks: what is left must be the same, in the same order. */
function essence(text: string): string {
  return text.replaceAll(/[ \t\n\r\f]+/g, '');
}

function examineSpec(spec: Spec): string | undefined {
  const machine = printSpecMachine(spec);
  const meaning = JSON.stringify(withoutRanges(spec));
  for (const printed of [machine, printSpec(spec)]) {
    const again = parseSpec(printed);
    if (again.spec === undefined) return `what was printed is rejected: ${printed}`;
    if (JSON.stringify(withoutRanges(again.spec)) !== meaning)
      return `what was printed means something else: ${printed}`;
    if (printSpecMachine(again.spec) !== machine) return `printing twice differs: ${printed}`;
  }
  for (const op of spec.ops) if (!printOp(op).startsWith(`(${op.kind}`)) return `heading of ${op.kind}`;
  for (const platform of ['unix', 'windows'] as const) {
    for (const buildkit of [true, false]) {
      const text = toDockerfile(spec, { platform, buildkit });
      if (!buildkit && instructions(text) !== expectedInstructions(spec)) return `instructions of ${platform}: ${text}`;
      dockerfileLosses(spec, { platform, buildkit });
    }
  }
  return undefined;
}

/** Without BuildKit every instruction is one line: no value may add or swallow one. */
function instructions(dockerfile: string): number {
  return dockerfile.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
}

function expectedInstructions(spec: Spec): number {
  const own = spec.ops.filter((op: Op) => op.kind !== 'comment').length + 1;
  return spec.builds.reduce((sum, build) => sum + expectedInstructions(build.spec), own);
}

function makeInput(i: number): string {
  const kind = i % 4;
  if (kind === 0) return many(() => pick(scraps), 40).join(pick(['', '', ' ']));
  if (kind === 1)
    return many(() => String.fromCharCode(Math.floor(random() * (random() < 0.9 ? 128 : 65536))), 60).join('');
  const spec = makeSpec(i % 7 === 0 ? 4 : 1);
  return kind === 2 ? spec : mutate(spec);
}

function mutate(text: string): string {
  let mutated = text;
  for (let n = 1 + Math.floor(random() * 3); n > 0; n--) {
    const at = Math.floor(random() * (mutated.length + 1));
    const until = at + (random() < 0.5 ? 0 : Math.floor(random() * 8));
    mutated = mutated.slice(0, at) + (random() < 0.7 ? pick(scraps) : '') + mutated.slice(until);
  }
  return mutated;
}

function makeSpec(depth: number): string {
  const builds = depth === 0 ? [] : many(() => `(build ${pick(words)} ${makeSpec(depth - 1)})`, 2);
  const spec = `(${[...builds, `(from ${pick(words)})`, ...many(makeOp, 4)].join(pick([' ', '\n ', ' #|c|# ']))})`;
  return random() < 0.5 ? spec : spec.replaceAll(' ', () => (random() < 0.3 ? pick(gaps) : ' '));
}

function makeOp(): string {
  const word = () => pick(words);
  const mounts = () => many(() => `(${word()} (target ${word()}))`, 2).join(' ');
  return pick([
    () => `(comment ${word()})`,
    () => `(workdir ${word()})`,
    () => `(shell ${many(word, 3).join(' ')})`,
    () => `(run (cache ${mounts()}) (shell ${word()}) (secrets ${mounts()}))`,
    () => `(run (shell ${word()}))`,
    () => `(copy (src ${many(word, 3).join(' ')}) (dst ${word()}) (exclude ${word()}))`,
    () => `(copy (from (build a)) (src ${word()}) (dst ${word()}))`,
    () => '(user (uid 1000) (gid 0x10))',
    () => `(user (name ${word()}))`,
    () => `(env ${word()} ${word()})`,
  ])();
}

function pick<T>(items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

function many<T>(make: () => T, most: number): T[] {
  return Array.from({ length: Math.floor(random() * (most + 1)) }, make);
}

/** A small generator of numbers in [0, 1) that a seed decides (xorshift). */
function generator(from: number): () => number {
  let state = (from * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}
