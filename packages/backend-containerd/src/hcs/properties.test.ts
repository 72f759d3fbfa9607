import { isLoamError } from '@loam/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { cmdCommandLine } from './command-line.ts';
import { NameCheck, nameProblem } from './windows-names.ts';
import { buildWindowsSpec, windowsEnvironment } from './windows-spec.ts';

const oneLine = fc.string().filter((text) => !/[\r\n]/.test(text));

describe('the command line of cmd', () => {
  /** What `cmd /?` says of /S: the first quote after /C and the last one go, what is between them is run as it stands. */
  function scriptOf(line: string): string {
    const rest = /^cmd \/S \/C (.*)$/s.exec(line)?.[1] ?? '';
    const last = rest.lastIndexOf('"');
    return rest.startsWith('"') ? rest.slice(1, last) + rest.slice(last + 1) : rest;
  }

  it('runs exactly the script, whatever quotes, blanks and operators it has', () => {
    fc.assert(
      fc.property(oneLine, (script) => {
        expect(scriptOf(cmdCommandLine(['cmd', '/S', '/C', script]) ?? '')).toBe(script);
      }),
    );
  });

  it('and every other program gets its arguments as they are', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (args) => {
        const { process } = specOf(['C:\\tools\\make.exe', ...args]);
        expect(process).toMatchObject({ args: ['C:\\tools\\make.exe', ...args] });
        expect(process).not.toHaveProperty('commandLine');
      }),
    );
  });
});

function specOf(argv: readonly string[]): { process: object } {
  return buildWindowsSpec({
    argv,
    cwd: 'C:\\',
    env: [],
    user: { kind: 'name', name: 'ContainerUser' },
    hostname: 'h',
    isolation: 'process',
    networkNamespace: undefined,
    limits: {},
    mounts: [],
    hostProcessors: 1,
  }) as { process: object };
}

/** What a check says at its end; nothing when all names are good. */
function messageOf(check: NameCheck): string {
  try {
    check.finish();
    return '';
  } catch (error) {
    if (!isLoamError(error, 'backend.names-unsupported')) throw error;
    return error.message;
  }
}

describe('names on NTFS', () => {
  // Microsoft, "Naming Files, Paths, and Namespaces", read once more and written down in another way.
  const reserved = [
    'CON',
    'PRN',
    'AUX',
    'NUL',
    ...['COM', 'LPT'].flatMap((port) => Array.from('0123456789¹²³', (digit) => `${port}${digit}`)),
  ];
  function isRefused(name: string): boolean {
    const beforeDot = name.split('.')[0]?.trimEnd().toUpperCase() ?? '';
    return (
      Array.from(name).some((character) => '<>:"\\|?*'.includes(character) || (character.codePointAt(0) ?? 0) < 32) ||
      reserved.includes(beforeDot) ||
      name.endsWith('.') ||
      name.endsWith(' ') ||
      name.length > 255 ||
      name.toLowerCase().startsWith('.wh.')
    );
  }
  const letters = fc.constantFrom(...'aB.1 ~-_ä:*?"<>|\\\t\u0000'.split(''));
  const name = fc
    .oneof(
      fc.string({ unit: letters, minLength: 1, maxLength: 8 }),
      fc
        .tuple(
          fc.constantFrom(...reserved, 'con', 'Nul', 'COM10', 'LPTX'),
          fc.constantFrom('', '.txt', ' ', '1', ' .c', '.'),
        )
        .map((parts) => parts.join('')),
      fc.integer({ min: 250, max: 260 }).map((length) => 'x'.repeat(length)),
      fc.constantFrom('.wh.x', '.WH.x', '.whx'),
    )
    .filter((text) => text !== '.' && text !== '..');

  it('that Windows refuses are refused, and no others', () => {
    fc.assert(
      fc.property(name, (text) => {
        expect(nameProblem(text) !== undefined, JSON.stringify(text)).toBe(isRefused(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('of one layer are all named at once, those that differ in case only among them', () => {
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 15 }), (names) => {
        const check = new NameCheck();
        for (const text of names) check.accepts(`d/${text}`);
        const folded = names.map((text) => text.toUpperCase());
        const bad = names.filter((text, index) => isRefused(text) || folded.indexOf(text.toUpperCase()) < index);
        const message = messageOf(check);
        expect(message === '').toBe(bad.length === 0);
        for (const text of bad) expect(message).toContain(`"d/${text}"`);
      }),
      { numRuns: 500 },
    );
  });

  it('below a directory that is refused are named as well', () => {
    const pairs = fc.uniqueArray(fc.tuple(name, name), {
      maxLength: 8,
      selector: ([directory]) => directory.toUpperCase(),
    });
    fc.assert(
      fc.property(pairs, (paths) => {
        const check = new NameCheck();
        for (const pair of paths) check.accepts(pair.join('/'));
        const bad = paths.flatMap(([directory, file]) => [
          ...(isRefused(directory) ? [`"${directory}" (`] : []),
          ...(isRefused(file) ? [`"${directory}/${file}" (`] : []),
        ]);
        const message = messageOf(check);
        for (const text of bad) expect(message).toContain(text);
      }),
    );
  });
});

describe('the environment', () => {
  const entry = fc.tuple(
    fc.constantFrom('A', 'a', 'Path', 'PATH', 'ProgramFiles(x86)', 'b'),
    fc.constantFrom('', '1', 'x=y', ' '),
  );

  it('has each name once, whatever its case, with the value and the spelling that came last; none that is empty', () => {
    fc.assert(
      fc.property(fc.array(entry), (env) => {
        const merged = windowsEnvironment(env);
        const wanted = new Map(env.map(([variable, value]) => [variable.toUpperCase(), [variable, value] as const]));
        const left = [...wanted.values()].filter(([, value]) => value !== '');
        expect(merged.toSorted()).toEqual(left.map(([variable, value]) => `${variable}=${value}`).toSorted());
      }),
      { numRuns: 500 },
    );
  });
});
