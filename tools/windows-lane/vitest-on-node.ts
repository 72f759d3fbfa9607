/**
 * The part of vitest that our tests use, on node:test. vitest itself cannot start under Wine; its `expect` can, so that the same
 * test files run there, bundled with this in the place of 'vitest'.
 */
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe as nodeDescribe, test as nodeTest } from 'node:test';
import { format } from 'node:util';

import { expect as vitestExpect, vi as vitestVi } from 'vitest';

// Node's fetch asks for keep-alive before it connects, and Wine 8 then refuses to connect.
Socket.prototype.setKeepAlive = function setKeepAlive() {
  return this;
};

type Body = (...args: unknown[]) => unknown;
/** vitest takes options or a time limit beside the body; all of these tests have the same time here. */
type Declare = (name: string, ...rest: unknown[]) => void;

/** The slowest test takes some fifteen seconds on two cores. One that hangs must end before its file counts as hung. */
const timeout = 120_000;
const pollEveryMs = 20;
const pollTimeoutMs = 60_000;

/** Tests that Wine cannot pass, and why. */
const skipped = JSON.parse(process.env['LOAM_LANE_SKIPPED'] ?? '{}') as Readonly<Record<string, string>>;

const declareTest: Declare = (name, ...rest) => {
  void nodeTest(name, { timeout, skip: skipped[name] ?? false }, () => alive(bodyOf(rest)));
};
const declareSuite: Declare = (name, ...rest) => {
  void nodeDescribe(name, () => void bodyOf(rest)());
};

/** Keeps the process alive meanwhile, as vitest's are: what a test waits for may have a timer that would not. */
async function alive(work: () => unknown): Promise<void> {
  const timer = setInterval(() => undefined, timeout);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
}

function bodyOf(rest: readonly unknown[]): Body {
  const body = rest.find((argument) => typeof argument === 'function');
  if (body === undefined) throw new Error('a test without a body');
  return body as Body;
}

/** `it.each([[1, 2]])('%s and %s', (one, two) => …)`, `it.each([{ name }])('$name', …)` */
function withEach(declare: Declare) {
  const each =
    (rows: readonly unknown[]) =>
    (name: string, ...rest: unknown[]) => {
      for (const row of rows) {
        const args = Array.isArray(row) ? (row as unknown[]) : [row];
        declare(titleOf(name, args), () => bodyOf(rest)(...args));
      }
    };
  const skipIf = (): never => {
    throw new Error('The lane skips what tools/windows-lane/suites.mjs names, and nothing else.');
  };
  return Object.assign(declare, { each, skipIf });
}

function titleOf(name: string, args: readonly unknown[]): string {
  const [first] = args;
  const named = name.replaceAll(/\$(\w+)/g, (whole, key: string) =>
    typeof first === 'object' && first !== null && key in first
      ? String((first as Record<string, unknown>)[key])
      : whole,
  );
  const count = named.match(/%[sdifjoOc]/g)?.length ?? 0;
  return format(named, ...args.slice(0, count));
}

/** Tries again until it no longer throws. */
async function waitFor<T>(work: () => T | Promise<T>, options: { timeout?: number } = {}): Promise<T> {
  const deadline = performance.now() + Math.max(options.timeout ?? 0, pollTimeoutMs);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, pollEveryMs));
    }
  }
}

/** `await expect.poll(() => value).not.toBe(1)`: the same chain on every try. */
function poll(read: () => unknown, options?: { timeout?: number }): unknown {
  const chain = (path: readonly string[]): unknown =>
    new Proxy(() => undefined, {
      get: (_, key) => (typeof key === 'string' && key !== 'then' ? chain([...path, key]) : undefined),
      apply: (_, __, args: unknown[]) =>
        waitFor(async () => {
          let target: unknown = vitestExpect(await read());
          for (const key of path.slice(0, -1)) target = (target as Record<string, unknown>)[key];
          (target as Record<string, Body>)[path.at(-1) ?? '']?.(...args);
        }, options),
    });
  return chain([]);
}

/** Snapshots lie where the test file says, beside its source. */
function withSnapshots<T extends object>(assertion: T, received: unknown): T {
  const toMatchFileSnapshot = (file: string): void => {
    const path = join(dirname(process.env['LOAM_LANE_SOURCE'] ?? ''), file);
    vitestExpect(received).toEqual(readFileSync(path, 'utf8'));
  };
  return Object.defineProperty(assertion, 'toMatchFileSnapshot', { value: toMatchFileSnapshot });
}

const it = withEach(declareTest);
const describe = withEach(declareSuite);
const test = it;
const expect = Object.assign(
  (received: unknown, message?: string) => withSnapshots(vitestExpect(received, message), received),
  vitestExpect,
  { poll },
);
const { fn, spyOn, restoreAllMocks } = vitestVi;
const vi: Pick<typeof vitestVi, 'fn' | 'spyOn' | 'restoreAllMocks'> & { readonly waitFor: typeof waitFor } = {
  fn,
  spyOn,
  restoreAllMocks,
  waitFor,
};
const afterAll = (work: () => unknown): void => after(() => alive(work));
const beforeAll = (work: () => unknown): void => before(() => alive(work));
const beforeEachTest = (work: () => unknown): void => beforeEach(() => alive(work));
const afterEachTest = (work: () => unknown): void =>
  afterEach(async () => {
    try {
      await alive(work);
    } catch (error) {
      // A deleted file that is still open keeps its name under Wine 8, and so its directory; on NTFS it does not.
      if ((error as NodeJS.ErrnoException).syscall !== 'rmdir') throw error;
    }
  });

export {
  afterAll,
  afterEachTest as afterEach,
  beforeAll,
  beforeEachTest as beforeEach,
  describe,
  expect,
  it,
  test,
  vi,
};
