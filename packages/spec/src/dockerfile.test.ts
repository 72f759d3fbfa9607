/// <reference types="node" />
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { dockerfileLosses, parseSpec, toDockerfile } from './index.ts';
import type { DockerfileOptions, Spec } from './index.ts';

const targets: Record<string, DockerfileOptions> = {
  unix: { platform: 'unix', buildkit: false },
  unix_buildkit: { platform: 'unix', buildkit: true },
  windows: { platform: 'windows', buildkit: false },
  windows_buildkit: { platform: 'windows', buildkit: true },
};

interface Recorded {
  readonly name: string;
  readonly spec: string;
  readonly [target: string]: string | { ok?: string };
}

const url = new URL('../testdata/dockerfile.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(url, 'utf8')) as { cases: Recorded[] };

function read(text: string): Spec {
  const { spec, diagnostics } = parseSpec(text);
  if (spec === undefined) throw new Error(diagnostics[0]?.message);
  return spec;
}

function lines(ops: string, target: keyof typeof targets): string[] {
  const text = toDockerfile(read(`((from base) ${ops})`), targets[target] as DockerfileOptions);
  return text.split('\n').slice(target.startsWith('windows') ? 2 : 1, -1);
}

describe('Dockerfiles recorded from OBuilder', () => {
  /** A command of several lines: OBuilder joins them. */
  const joined = new Set(['escapes-standard', 'escapes-windows-trap']);
  for (const recorded of cases) {
    test.for(Object.keys(targets))(`${recorded.name} for %s`, (target) => {
      const text = toDockerfile(read(recorded.spec), targets[target] as DockerfileOptions);
      const wanted = (recorded[target] as { ok?: string }).ok;
      if (wanted === undefined) expect(text).toMatch(/^RUN --mount=type=(cache|secret),id=[^\n]*$/m);
      else if (joined.has(recorded.name)) expect(text).not.toBe(wanted);
      else expect(text).toBe(wanted);
    });
  }
});

describe('what Docker understands is written as OBuilder writes it', () => {
  const written: [name: string, ops: string, lines: string[]][] = [
    ['a carriage return alone ends no line', '(comment "a\\rb") (workdir "a\\rb")', ['# a\rb', 'WORKDIR a\rb']],
    ['a carriage return at the end of a value', '(comment "a\\r") (env K "v\\r")', ['# a\r', 'ENV K="v\r"']],
    ['a carriage return within a command', '(run (shell "a\\rb"))', ['RUN a\rb']],
    ['a path in brackets', '(copy (src [a-z]*) (dst d/))', ['COPY [a-z]* d/']],
    ['a path that begins like JSON', '(copy (src "[\\"a\\"]") (dst d))', ['COPY ["a"] d']],
    ['a here-document in double quotes', '(run (shell "echo \\"x <<EOF\\""))', ['RUN echo "x <<EOF"']],
    ['a here-document in single quotes', '(run (shell "echo \'x <<EOF\'"))', ["RUN echo 'x <<EOF'"]],
    ['an escaped blank before <<', '(run (shell "echo \\\\ <<EOF"))', ['RUN echo \\ <<EOF']],
    ['a here-string', '(run (shell "cat <<<x"))', ['RUN cat <<<x']],
    ['a shift without blanks', '(run (shell "echo $((1<<2))"))', ['RUN echo $((1<<2))']],
    ['a test', '(run (shell "[ -f x ] || exit 1"))', ['RUN [ -f x ] || exit 1']],
    ['blanks around a command', '(run (shell " \\tx y\\012"))', ['RUN x y']],
    ['quotes and escapes in a variable', '(env K "\\"\\\\`\\"\\"")', ['ENV K="\\"\\\\`\\"\\""']],
    ['ids that are not decimal', '(user (uid 0x10) (gid -5))', ['USER 16:-5']],
    ['a user who is root by another name', '(user (name root)) (copy (src a) (dst b))', ['USER root', 'COPY a b']],
    [
      'a user with one id of root',
      '(user (uid 0) (gid 1)) (copy (src a) (dst b))',
      ['USER 0:1', 'COPY --chown=0:1 a b'],
    ],
  ];
  test.for(written)('%s', ([, ops, wanted]) => {
    expect(lines(ops, 'unix')).toEqual(wanted);
    expect(lines(ops, 'unix_buildkit')).toEqual(wanted);
  });

  test.for([
    ['escapes in quotes', `"${'\\a'.repeat(4e6)}"`],
    ['an open quote', `"${'x'.repeat(1e7)}`],
    ['empty quotes', "'".repeat(4e6)],
    ['quoted here-documents', '"<<a '.repeat(2e6)],
    ['blanks', `a${' '.repeat(1e6)}b`],
    ['lines', 'x\n'.repeat(3e5)],
  ] as const)('a text of millions of characters is no trouble: %s', ([, text]) => {
    const run = { kind: 'run', cache: [], network: [], secrets: [], shell: `cat <<<x ${text}` } as const;
    const spec: Spec = { builds: [], from: 'x', ops: [{ kind: 'comment', text }, run] };
    expect(toDockerfile(spec, { platform: 'unix', buildkit: true }).length).toBeGreaterThan(2 * text.length);
  });

  test('of builds that share a name only those are renamed that Docker would mix up', () => {
    const spec = read(
      '((build a ((from x))) (build a ((build A ((from q))) (from y) (copy (from (build A)) (src s) (dst d))))' +
        ' (from z) (copy (from (build a)) (src s) (dst d)))',
    );
    expect(toDockerfile(spec, { platform: 'unix', buildkit: false })).toBe(
      'FROM x as a\n\nFROM q as a-2\n\nFROM y as a\nCOPY --from=a-2 s d\n\nFROM z\nCOPY --from=a s d\n',
    );
  });
});

describe('vectors (8): where OBuilder is wrong', () => {
  test('every line of a comment is a comment', () => {
    expect(lines('(comment "one\\nRUN two\\r\\nthree")', 'unix')).toEqual(['# one', '# RUN two', '# three']);
  });

  test('SHELL is JSON', () => {
    const [line = ''] = lines('(shell "C:\\\\cygwin64\\\\bin\\\\bash.exe" "say \\"x\\"" -lc)', 'windows');
    expect(line).toBe('SHELL [ "C:\\\\cygwin64\\\\bin\\\\bash.exe", "say \\"x\\"", "-lc" ]');
    expect(JSON.parse(line.slice('SHELL '.length))).toEqual(['C:\\cygwin64\\bin\\bash.exe', 'say "x"', '-lc']);
  });

  test('paths with blanks are copied in JSON form', () => {
    expect(lines('(user (uid 1) (gid 2)) (copy (src a "b c") (dst "C:\\\\out dir\\\\"))', 'unix').at(-1)).toBe(
      'COPY --chown=1:2 ["a", "b c", "C:\\\\out dir\\\\"]',
    );
  });

  test('a command of several lines reaches the shell with its newlines', () => {
    const command = '(run (shell "cd /x\\nmake"))';
    expect(lines(command, 'unix_buildkit')).toEqual(["RUN <<'EOF'", 'cd /x', 'make', 'EOF']);
    expect(lines(command, 'windows_buildkit')).toEqual(["RUN <<'EOF'", 'cd /x', 'make', 'EOF']);
    expect(lines(command, 'unix')).toEqual(['RUN ["/bin/sh","-c","cd /x\\nmake"]']);
    expect(lines(command, 'windows')).toEqual(['RUN ["cmd","/S","/C","cd /x\\nmake"]']);
    expect(lines(`(shell bash -ec) ${command}`, 'unix').at(-1)).toBe('RUN ["bash","-ec","cd /x\\nmake"]');
  });

  test('a here-document ends where the command does, and is never run by itself', () => {
    expect(lines('(run (shell "cat <<EOF\\nx\\nEOF\\necho"))', 'unix_buildkit')).toEqual([
      "RUN <<'EOF2'",
      'cat <<EOF',
      'x',
      'EOF',
      'echo',
      'EOF2',
    ]);
    expect(lines('(run (shell "#!/bin/x\\ny"))', 'unix_buildkit').slice(0, 3)).toEqual(["RUN <<'EOF'", '', '#!/bin/x']);
  });

  test('one-line commands that Docker would take apart are kept together', () => {
    for (const command of ['--version', 'cat <<EOF', 'cat << EOF', 'echo $((1 << 2))', '[\\"a\\"]']) {
      expect(lines(`(run (shell "${command}"))`, 'unix')[0]).toMatch(/^RUN \["\/bin\/sh","-c",".*"\]$/);
      expect(lines(`(run (shell "${command}"))`, 'unix_buildkit')[0]).toBe("RUN <<'EOF'");
    }
    expect(lines('(run (shell "[ -f x ] && y"))', 'unix')).toEqual(['RUN [ -f x ] && y']);
  });

  test('a command that ends with an escape character ends there, and keeps the blank that one escapes', () => {
    for (const target of ['unix', 'unix_buildkit']) {
      expect(lines('(run (shell "echo a\\\\"))', target)).toEqual(['RUN ["/bin/sh","-c","echo a\\\\"]']);
      expect(lines('(run (shell "a\\nb\\\\"))', target)).toEqual(['RUN ["/bin/sh","-c","a\\nb\\\\"]']);
    }
    expect(lines('(run (shell "ls a\\\\  "))', 'unix')).toEqual(['RUN ["/bin/sh","-c","ls a\\\\ "]']);
    expect(lines('(run (shell "ls a\\\\  "))', 'unix_buildkit')).toEqual(["RUN <<'EOF'", 'ls a\\ ', 'EOF']);
    expect(lines('(run (shell "a\\\\\\r"))', 'unix')).toEqual(['RUN ["/bin/sh","-c","a\\\\"]']);
    expect(lines('(run (shell "dir C:\\\\ "))', 'windows')).toEqual(['RUN dir C:\\']);
  });

  test('a path that looks like a here-document is a path', () => {
    for (const target of Object.keys(targets)) {
      expect(lines('(copy (src <<EOF "a b") (dst 1<<x))', target)).toEqual(['COPY ["./<<EOF", "a b", "./1<<x"]']);
      expect(lines('(copy (src a<<b) (dst <<))', target)).toEqual(['COPY a<<b ./<<']);
    }
  });

  test('what ends with an escape character does not take the next line with it', () => {
    const ops = '(copy (src a) (dst "C:\\\\out\\\\")) (workdir "C:\\\\x\\\\") (workdir "a\\\\ ") (workdir "a\\\\\\\\")';
    expect(lines(ops, 'unix')).toEqual([
      'COPY ["a", "C:\\\\out\\\\"]',
      'WORKDIR C:\\x\\\\',
      'WORKDIR a\\\\',
      'WORKDIR a\\\\',
    ]);
    expect(lines(ops, 'windows').slice(0, 2)).toEqual(['COPY a C:\\out\\', 'WORKDIR C:\\x\\']);
    expect(lines('(copy (src a) (dst "b`")) (workdir "c`")', 'windows')).toEqual(['COPY ["a", "b`"]', 'WORKDIR c``']);
  });

  test('caches and secrets on Windows have no uid', () => {
    expect(
      lines('(run (cache (c (target "C:\\\\c"))) (secrets (s (target C:/s))) (shell x))', 'windows_buildkit'),
    ).toEqual(['RUN --mount=type=secret,id=s,target=C:/s --mount=type=cache,id=c,target=C:\\c x']);
  });

  test('a line end in a value never begins another instruction', () => {
    const text = lines('(workdir "a\\nRUN x") (env A "b\\nRUN x") (user (name "u\\nRUN x"))', 'unix').join('\n');
    expect(text).not.toMatch(/^RUN/m);
  });
});

describe('stages', () => {
  test('builds that Docker would mix up get names of their own', () => {
    const spec = read(
      '((build a ((build b ((from inner))) (from y) (copy (from (build b)) (src p) (dst p)))) (build b ((from outer)))' +
        ' (from z) (copy (from (build b)) (src q) (dst q)))',
    );
    const text = toDockerfile(spec, { platform: 'unix', buildkit: false });
    expect(text).toContain('FROM inner as b-2\n\nFROM y as a\nCOPY --from=b-2 p p\n\nFROM outer as b\n');
    expect(text).toContain('FROM z\nCOPY --from=b q q\n');
  });

  test('a stage does not stand in for an image of its name', () => {
    const spec = read(
      '((build alpine ((from golang))) (build golang ((from golang))) (from Alpine) (copy (from (build alpine)) (src p) (dst p)))',
    );
    expect(toDockerfile(spec, { platform: 'unix', buildkit: false })).toBe(
      'FROM golang as alpine-2\n\nFROM golang as golang\n\nFROM Alpine\nCOPY --from=alpine-2 p p\n',
    );
  });

  test('names that Docker does not take are replaced', () => {
    const spec = read('((build "My Tools" ((from x))) (from y) (copy (from (build "My Tools")) (src a) (dst a)))');
    expect(toDockerfile(spec, { platform: 'unix', buildkit: false })).toBe(
      'FROM x as my-tools\n\nFROM y\nCOPY --from=my-tools a a\n',
    );
  });
});

test('what a Dockerfile cannot say is reported where it stands', () => {
  const spec = read(
    '((from x)\n (copy (src .) (dst .) (exclude .git))\n (run (network host) (cache (c (target /c))) (shell y)))',
  );
  const losses = dockerfileLosses(spec, { platform: 'unix', buildkit: false });
  expect(losses.map((loss) => loss.range.start.line)).toEqual([2, 3, 3]);
});

test.for([
  ['(workdir "C:\\\\src")', 'Ask for Windows.'],
  ['(workdir "a\\nb")', 'Rename it.'],
] as const)('%s is told about', ([op, hint]) => {
  const losses = dockerfileLosses(read(`((from x) ${op})`), { platform: 'unix', buildkit: true });
  expect(losses.map((loss) => loss.hint)).toEqual([hint]);
});

test('a command that is too long for a line of a Dockerfile is told about', () => {
  const count = (shell: string, buildkit: boolean): number =>
    dockerfileLosses(read(`((from x) (run (shell "${shell}")))`), { platform: 'unix', buildkit }).length;
  const half = 'é'.repeat(20_000);
  expect([count(half, true), count(half + half, true), count(`${half}\n${half}`, true)]).toEqual([0, 1, 0]);
  expect(count(`${half}\n${half}`, false)).toBe(1);
});
