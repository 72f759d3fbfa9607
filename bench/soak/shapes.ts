import { createHash } from 'node:crypto';

import type { ContextManifest, SubmitBuild } from '@loam/contracts';

import type { Random } from './random.ts';
import { forever, lines, numbered, quoted, talkative } from './scripts.ts';

/** What a step's log must be: this text, or any beginning of a text that goes on. */
export type ExpectedLog = { readonly whole: string } | { readonly beginningOf: (line: number) => string };

export type ExpectedEnd =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly code: string; readonly exitCode?: number };

/** A build and what must become of it when nobody cancels it. */
export interface Shape {
  readonly name: string;
  readonly submission: SubmitBuild;
  readonly end: ExpectedEnd;
  /** By position; others have no log. */
  readonly logs: Readonly<Record<string, ExpectedLog>>;
  /** Must be uploaded first. */
  readonly context?: { readonly manifest: ContextManifest; readonly blobs: ReadonlyMap<string, Buffer> };
}

type MakeShape = (random: Random, salt: string) => Omit<Shape, 'name'>;

const from = '(from loam.local/busybox:latest)';
const run = (command: string, fields = ''): string =>
  `(run (cache (soak (target /soak))) ${fields} (shell ${quoted(command)}))`;
const spec = (...ops: string[]): string => `(${[from, ...ops].join('\n ')})`;
const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
const whole = (text: string): ExpectedLog => ({ whole: text });
const succeeded: ExpectedEnd = { kind: 'succeeded' };

/** Two or three steps of a handful that many builds begin with: hits, and what is under way for another build. */
function prefix(random: Random): { ops: string[]; logs: Record<string, ExpectedLog> } {
  const era = random.between(0, 5);
  const depth = random.between(1, 3);
  const names = Array.from({ length: depth }, (_, index) => `shared-${era}-${index}`);
  return {
    ops: names.map((name) => run(numbered(name, 60, 20_000))),
    logs: Object.fromEntries(names.map((name, index) => [String(index + 1), whole(lines(name, 60))])),
  };
}

const chain: MakeShape = (random, salt) => {
  const { ops, logs } = prefix(random);
  const count = random.between(5, 120);
  const own = random.between(1, 3);
  const all: Record<string, ExpectedLog> = { ...logs };
  for (let index = 0; index < own; index++) {
    ops.push(run(numbered(`${salt}-${index}`, count, 10_000), random.chance(0.2) ? '(network host)' : ''));
    all[String(ops.length)] = whole(lines(`${salt}-${index}`, count));
  }
  return { submission: { spec: spec(...ops) }, end: succeeded, logs: all };
};

const context: MakeShape = (random, salt) => {
  const blobs = new Map<string, Buffer>();
  const file = (name: string, bytes: Buffer): ContextManifest['entries'][number] => {
    const digest = `sha256:${sha256(bytes)}`;
    blobs.set(digest, bytes);
    return { kind: 'file', path: name, mode: 0o644, sizeBytes: bytes.length, digest };
  };
  const own = Buffer.from(`${salt} `.repeat(random.between(1, 200_000)));
  const shared = Buffer.from(`shared ${random.between(0, 3)}\n`.repeat(50_000));
  const entries: ContextManifest['entries'] = [
    { kind: 'directory', path: 'src', mode: 0o755 },
    file('src/own', own),
    file('src/shared', shared),
    ...Array.from({ length: random.between(0, 40) }, (_, index) => file(`src/many-${index}`, Buffer.from(`${index}`))),
    { kind: 'symlink', path: 'src/link', target: 'own' },
  ];
  return {
    submission: {
      spec: spec(
        '(copy (src src/shared) (dst /shared))',
        '(copy (src src) (dst /src))',
        run(`: ${salt}; cat /src/link /src/shared /shared | sha256sum; ls /src | wc -l`),
      ),
    },
    context: { manifest: { entries: entries.toSorted((a, b) => (a.path < b.path ? -1 : 1)) }, blobs },
    end: succeeded,
    logs: { 3: whole(`${sha256(Buffer.concat([own, shared, shared]))}  -\n${entries.length - 1}\n`) },
  };
};

const nested: MakeShape = (random, salt) => {
  const tool = `tool-${random.between(0, 3)}`;
  const made = `${tool} `.repeat(1000);
  return {
    submission: {
      spec: `((build tools (${from}\n ${run(`${numbered(tool, 40, 20_000)}; i=0; while [ $i -lt 1000 ]; do printf '${tool} '; i=$((i+1)); done > /made`)}))
 (build own (${from} ${run(`${numbered(`${salt}-n`, 10, 10_000)}; echo ${salt} > /own`)}))
 ${from} (copy (from (build tools)) (src /made) (dst /tools/made)) (copy (from (build own)) (src /own) (dst /tools/))
 ${run(`cat /tools/own; sha256sum < /tools/made`)})`,
    },
    end: succeeded,
    logs: {
      'tools/1': whole(lines(tool, 40)),
      'own/1': whole(lines(`${salt}-n`, 10)),
      3: whole(`${salt}\n${sha256(made)}  -\n`),
    },
  };
};

const secret: MakeShape = (random, salt) => {
  const value = `secret of ${salt} ${random.next()}`;
  return {
    submission: {
      spec: spec(
        run(`${numbered(salt, 30, 20_000)}; sha256sum < /run/secrets/key`, '(secrets (key (target /run/secrets/key)))'),
        run('test ! -s /run/secrets/key && echo none'),
      ),
      secrets: [{ id: 'key', value: Buffer.from(value).toString('base64') }],
    },
    end: succeeded,
    logs: { 1: whole(`${lines(salt, 30)}${sha256(value)}  -\n`), 2: whole('none\n') },
  };
};

const failing: MakeShape = (random, salt) => {
  const { ops, logs } = prefix(random);
  const exitCode = random.between(1, 120);
  const count = random.between(1, 80);
  return {
    submission: { spec: spec(...ops, run(`${numbered(salt, count, 10_000)}; exit ${exitCode}`), run('echo never')) },
    end: { kind: 'failed', code: 'engine.step-failed', exitCode },
    logs: { ...logs, [ops.length + 1]: whole(lines(salt, count)) },
  };
};

const slow: MakeShape = (_, salt) => ({
  submission: { spec: spec(run(forever(salt, 50_000))), timeoutMs: 6_000 },
  end: { kind: 'failed', code: 'engine.build-timed-out' },
  logs: { 1: { beginningOf: (line) => `${salt} ${line}` } },
});

const big: MakeShape = (random, salt) => {
  const count = random.between(50_000, 400_000);
  return {
    submission: { spec: spec(run(talkative(salt, count)), run(`echo after ${salt}`)) },
    end: succeeded,
    logs: { 1: whole(lines(salt, count, 1)), 2: whole(`after ${salt}\n`) },
  };
};

/** An interface of its own, and a cache that one step has for itself: what two runs at once would write into it is told. */
const alone: MakeShape = (random, salt) => {
  const cache = '(alone (target /alone) (buildkit_options ((sharing locked))))';
  const command = `echo ${salt} > /alone/who; ${numbered(salt, random.between(5, 40), 10_000)}; cat /alone/who`;
  const count = Number(/-lt (\d+)/.exec(command)?.[1]);
  return {
    submission: {
      spec: spec(`(run (cache (soak (target /soak)) ${cache}) (network nat) (shell ${quoted(command)}))`),
    },
    end: succeeded,
    logs: { 1: whole(`${lines(salt, count)}${salt}\n`) },
  };
};

const makers: readonly { readonly name: string; readonly weight: number; readonly make: MakeShape }[] = [
  { name: 'chain', weight: 10, make: chain },
  { name: 'context', weight: 3, make: context },
  { name: 'nested', weight: 3, make: nested },
  { name: 'secret', weight: 3, make: secret },
  { name: 'alone', weight: 3, make: alone },
  { name: 'failing', weight: 3, make: failing },
  { name: 'slow', weight: 1, make: slow },
  { name: 'big', weight: 1, make: big },
];

/** Draws a build. `salt` is in all that is its own; nothing of it may need quoting. */
export function drawShape(random: Random, salt: string): Shape {
  const { name, make } = random.pick(makers, (maker) => maker.weight);
  const shape = make(random, salt);
  return { name, ...shape, submission: { ...shape.submission, title: salt, priority: random.between(-3, 3) } };
}
