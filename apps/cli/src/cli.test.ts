import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { storeFarm, findFarm } from './settings.ts';
import { runCaptured } from './testing.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loam-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const good = '((from a@sha256:0123456789abcdef0123456789abcdef)\n (run (shell "echo hi")))';

test('says its version', async () => {
  const { code, out } = await runCaptured(['--version']);
  expect([code, out]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
});

test.each(['abc', '0', '-3', '1.5'])('refuses to list %s builds', async (limit) => {
  const { code, err } = await runCaptured(['--url', 'http://127.0.0.1:1', '--token', 'x', 'ls', '--limit', limit]);
  expect(code).toBe(2);
  expect(err).toContain('whole number above 0');
});

describe('loam spec', () => {
  test('check says nothing and exits with 0 for a good spec', async () => {
    expect(await runCaptured(['spec', 'check', file('s', good)])).toEqual({ code: 0, out: '', err: '' });
  });

  test('check shows every error with its place, like a compiler, and exits with 1', async () => {
    const { code, out } = await runCaptured(['spec', 'check', '-'], {
      stdin: '((from x)\n (rn (shell a))\n (copy (src a)))',
    });
    expect(code).toBe(1);
    expect(out).toMatchInlineSnapshot(`
      "<stdin>:2:3: error: There is no operation \`rn\`. [spec.unknown-op]
         (rn (shell a))
          ^^
        hint: Did you mean \`run\`?
      <stdin>:3:2: error: \`copy\` lacks (dst …). [spec.missing-field]
         (copy (src a)))
         ^^^^^^^^^^^^^^
      2 errors, 0 warnings
      "
    `);
  });

  test.for([
    ['check of a bad spec', 'check', '((from x) (rn))', 'stdout', 1],
    ['check of a good spec with advice', 'check', '((from x))', 'stdout', 0],
    ['fmt --check of a file laid out otherwise', 'fmt --check', '((from x))', 'stdout', 1],
    ['dockerfile with losses', 'dockerfile', '((from x) (run (network host) (shell y)))', 'stderr', 0],
    ['dockerfile of a bad spec', 'dockerfile', '((from', 'stderr', 1],
  ] as const)('%s keeps its exit code when nobody reads what it says', async ([, verb, spec, gone, wanted]) => {
    const main = fileURLToPath(new URL('main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, 'spec', ...verb.split(' '), file('s', spec)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child[gone].destroy();
    child[gone === 'stdout' ? 'stderr' : 'stdout'].resume();
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(wanted);
  });

  test('check gives its findings as JSON', async () => {
    const { code, out } = await runCaptured(['spec', 'check', '--json', file('s', '((from x) (rn))')]);
    expect(code).toBe(1);
    const value = JSON.parse(out) as { ok: boolean; files: { diagnostics: { code: string }[] }[] };
    expect(value.ok).toBe(false);
    expect(value.files[0]?.diagnostics.map((item) => item.code)).toContain('spec.unknown-op');
  });

  test('fmt prints the standard layout, fmt --compact the form for machines, fmt --write changes the file', async () => {
    const path = file('s', '((from a)(run (shell\n"echo hi")))');
    expect((await runCaptured(['spec', 'fmt', path])).out).toBe('((from a)\n (run (shell "echo hi"))\n)\n');
    expect((await runCaptured(['spec', 'fmt', '--compact', path])).out).toBe('((from a)(run(shell"echo hi")))\n');
    expect((await runCaptured(['spec', 'fmt', '--write', path])).out).toBe('');
    expect(readFileSync(path, 'utf8')).toBe('((from a)\n (run (shell "echo hi"))\n)\n');
  });

  test('fmt gives bytes back that are not text', async () => {
    const { code, out } = await runCaptured(['spec', 'fmt', '--compact', '-'], {
      stdin: Buffer.from('((from "a\\255"))', 'latin1'),
    });
    expect([code, out]).toEqual([0, '((from"a\\255"))\n']);
  });

  test('fmt and dockerfile of a bad spec show the errors and exit with 1', async () => {
    for (const verb of ['fmt', 'dockerfile']) {
      const { code, out, err } = await runCaptured(['spec', verb, '-'], { stdin: '((from' });
      expect([code, out]).toEqual([1, '']);
      expect(err).toContain('<stdin>:1:');
      expect(err).toContain('[cli.spec-invalid]');
    }
  });

  test('dockerfile writes for the platform and the syntax that were asked for, and says what is lost', async () => {
    const path = file('s', '((from a) (run (cache (c (target /c))) (shell "make")))');
    const plain = await runCaptured(['spec', 'dockerfile', path]);
    expect(plain.out).toBe('FROM a\nRUN make\n');
    expect(plain.err).toContain('dockerfile.loss');
    expect((await runCaptured(['spec', 'dockerfile', '--buildkit', path])).out).toContain('--mount=type=cache');
    expect((await runCaptured(['spec', 'dockerfile', '--platform', 'windows', path])).out).toContain('#escape=`');
  });
});

describe('command lines that are wrong', () => {
  test('a misspelt command or option is answered with what may be meant, and 2', async () => {
    const command = await runCaptured(['bulid']);
    expect([command.code, command.err]).toEqual([2, expect.stringContaining('Did you mean build?')]);
    const option = await runCaptured(['ls', '--jsn']);
    expect([option.code, option.err]).toEqual([2, expect.stringContaining('Did you mean --json?')]);
    expect((await runCaptured(['build', '-f', 'x', '--timeout', 'soon'])).err).toContain('90s, 10m or 2h');
  });

  test.each([
    ['--cpus', '-1', 'above 0'],
    ['--cpus', '0', 'above 0'],
    ['--priority', '1000', 'from -100 to 100'],
    ['--priority', '-101', 'from -100 to 100'],
    ['--priority', '1.5', 'from -100 to 100'],
    ['--timeout', '500ms', 'at least 1s'],
    ['--memory', '1m', 'at least 4m'],
    ['--scratch', '512m', 'at least 1g'],
  ])('%s %s is out of range: 2, before anything is read or sent', async (option, value, allowed) => {
    const { code, err } = await runCaptured(['build', '-f', 'no-such-file', option, value]);
    expect([code, err]).toEqual([2, expect.stringContaining(allowed)]);
  });

  test('the ends of what is allowed are allowed', async () => {
    const options = ['--priority=-100', '--priority=100', '--cpus=0.5', '--timeout=1s', '--memory=4m', '--scratch=1g'];
    const { code, err } = await runCaptured(['build', '-f', 'no-such-file', ...options]);
    expect([code, err]).toEqual([125, expect.stringContaining('[cli.file-unreadable]')]);
  });

  test.each([
    [['bulid', '--help'], "unknown command 'bulid'\n(Did you mean build?)"],
    [['help', 'bulid'], "unknown command 'bulid'\n(Did you mean build?)"],
    [['spec', 'chek', '--help'], "unknown command 'chek'\n(Did you mean check?)"],
    [['agents', 'NOSUCH', '--help'], 'NOSUCH'],
  ])('help on a command that there is not is refused with 2: %j', async (argv, said) => {
    const { code, out, err } = await runCaptured(argv);
    expect([code, out, err]).toEqual([2, '', expect.stringContaining(said)]);
  });

  test.each([
    [['help'], 'Usage: loam [options]'],
    [['help', 'build'], 'Usage: loam build'],
    [['build', '--help'], 'Usage: loam build'],
    [['agents', '--help'], 'Usage: loam agents'],
    [['agents', 'ls', '--help'], 'Usage: loam agents ls'],
    [['spec', 'help', 'check'], 'Usage: loam spec check'],
  ])('help on a command that there is: %j', async (argv, said) => {
    const { code, out } = await runCaptured(argv);
    expect([code, out]).toEqual([0, expect.stringContaining(said)]);
  });

  test('a project folder that does not exist is refused, also when nothing is copied from it', async () => {
    const path = file('s', good);
    for (const verb of ['build', 'plan']) {
      const { code, err } = await runCaptured([verb, '-f', path, 'no-such', '--url', 'http://127.0.0.1:1'], {
        cwd: folder,
      });
      expect([code, err]).toEqual([
        verb === 'build' ? 125 : 1,
        expect.stringMatching(/There is no project directory .*no-such\. \[context\.directory-missing\]/),
      ]);
    }
    const ofFile = await runCaptured(['build', '-f', path, path], { cwd: folder });
    expect(ofFile.err).toContain('[context.directory-missing]');
  });

  test('--help exits with 0 and explains the exit codes', async () => {
    const { code, out } = await runCaptured(['--help']);
    expect(code).toBe(0);
    expect(out).toContain('130');
  });

  test('a failure shows message, code and remedy, and never a stack trace', async () => {
    const { code, out, err } = await runCaptured(['spec', 'check', '/no/such/file']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(
      'error: /no/such/file cannot be read: there is no such file. [cli.file-unreadable]\n  Check the path and its permissions.\n',
    );
  });

  test('a build that never came to the farm exits with 125', async () => {
    const path = file('s', good);
    const { code, err } = await runCaptured(['build', '-f', path, '--url', 'http://127.0.0.1:1'], { cwd: folder });
    expect([code, err]).toEqual([125, expect.stringContaining('[cli.api-unreachable]')]);
    expect((await runCaptured(['build', '-f', file('bad', '((from x) (rn))')])).code).toBe(125);
  });

  test('--secret names a file or a secret of the farm', async () => {
    const { code, err } = await runCaptured(['build', '-f', file('s', good), '--secret', 'key']);
    expect([code, err]).toEqual([125, expect.stringContaining('[cli.bad-secret]')]);
    const missing = await runCaptured(['build', '-f', file('s', good), '--secret', 'key:no-file']);
    expect(missing.err).toContain('[cli.file-unreadable]');
  });

  test('colours come with --color and go with NO_COLOR', async () => {
    const args = ['spec', 'check', '-'];
    expect((await runCaptured([...args, '--color'], { stdin: '(' })).out).toContain('\u001b[31m');
    expect((await runCaptured(args, { stdin: '(', env: { FORCE_COLOR: '1' } })).out).toContain('\u001b[31m');
    expect((await runCaptured(args, { stdin: '(', env: { NO_COLOR: '1', FORCE_COLOR: '1' } })).out).not.toContain(
      '\u001b',
    );
  });
});

describe('the farm that is meant', () => {
  const io = (env: Record<string, string>, cwd = folder) =>
    ({ env: { XDG_CONFIG_HOME: join(folder, 'config'), ...env }, cwd }) as never;

  test('options go before the environment, that before what was stored, that before a farm started here', () => {
    expect(findFarm({}, io({}))).toEqual({ url: 'http://127.0.0.1:7700' });
    mkdirSync(join(folder, '.loam'));
    file('.loam/cli.json', JSON.stringify({ url: 'http://here:1', token: 'embedded' }));
    mkdirSync(join(folder, 'deep'));
    expect(findFarm({}, io({}, join(folder, 'deep')))).toEqual({ url: 'http://here:1', token: 'embedded' });
    storeFarm({ url: 'https://farm', token: 'stored' }, io({}));
    expect(findFarm({}, io({}))).toEqual({ url: 'https://farm', token: 'stored' });
    expect(findFarm({ url: 'c' }, io({ LOAM_URL: 'http://b', LOAM_TOKEN: 't' }))).toEqual({
      url: 'http://c',
      token: 't',
    });
  });

  test('a stored token is not sent to another address', () => {
    storeFarm({ url: 'https://farm/', token: 'stored' }, io({}));
    expect(findFarm({ url: 'https://other' }, io({}))).toEqual({ url: 'https://other' });
    expect(findFarm({ url: 'https://farm' }, io({}))).toEqual({ url: 'https://farm', token: 'stored' });
  });

  test('what is stored is readable by its owner alone, also when the file was there with another mode', () => {
    mkdirSync(join(folder, 'config', 'loam'), { recursive: true });
    writeFileSync(join(folder, 'config', 'loam', 'config.json'), '{}', { mode: 0o644 });
    expect(statSync(storeFarm({ url: 'https://farm', token: 't' }, io({}))).mode & 0o777).toBe(0o600);
  });
});
