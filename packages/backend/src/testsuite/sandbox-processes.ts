import { expect, it } from 'vitest';

import type { SandboxHarness } from './harness.ts';
import { baseWithUsers, onWorking, plainUser, run, runAndCommit } from './sandbox-support.ts';
import { kept, layer, metaOf, rejection, textOf, withTree } from './support.ts';

export function processTests(open: () => Promise<SandboxHarness>): void {
  it('exit codes come out as they are', async () => {
    const harness = await open();
    for (const code of [0, 1, 42, 126, 127, 137, 255]) {
      const { exit } = await run(harness, `exit ${code}`);
      expect(exit).toEqual({ kind: 'exited', code });
    }
  });

  it('a command that the shell does not have ends with 127; a shell that is not there is command-not-found', async () => {
    const harness = await open();
    expect((await run(harness, 'no-such-command')).exit).toEqual({ kind: 'exited', code: 127 });
    expect(await rejection(run(harness, '', { argv: ['/no/such/shell', '-c', 'true'] }))).toBe(
      'backend.command-not-found',
    );
    expect(await rejection(run(harness, '', { argv: ['no-such-shell', '-c', 'true'] }))).toBe(
      'backend.command-not-found',
    );
  });

  it('standard output and error stay apart, and merged they keep their order', async () => {
    const harness = await open();
    for (const [first, second] of [
      ['echo out', 'echo err >&2'],
      ['echo err >&2', 'echo out'],
    ]) {
      // The second comes when the first has been heard.
      const heard = Promise.withResolvers<void>();
      const stdin = async function* (): AsyncIterable<Uint8Array> {
        await heard.promise;
        yield new Uint8Array();
      };
      const ran = await run(harness, `${first}; cat; ${second}`, { stdin: stdin(), onText: () => heard.resolve() });
      expect([ran.stdout, ran.stderr]).toEqual(['out\n', 'err\n']);
      expect(ran.merged).toBe(first === 'echo out' ? 'out\nerr\n' : 'err\nout\n');
    }
  });

  it('10 MB of output arrive whole', async () => {
    const harness = await open();
    const ran = await run(harness, 'head -c 10485760 /dev/zero; echo end >&2; echo end');
    expect(ran.exit).toEqual({ kind: 'exited', code: 0 });
    expect(ran.stdout.length).toBe(10_485_760 + 4);
    expect(ran.stderr).toBe('end\n');
  });

  it('output without a final newline, and output just before the end, are not lost', async () => {
    const harness = await open();
    const runs = await Promise.all(
      Array.from({ length: 5 }, (_, index) => run(harness, `head -c 3 /dev/zero; exit ${index}`)),
    );
    expect(runs.map((ran) => [ran.stdout, ran.exit])).toEqual(
      [0, 1, 2, 3, 4].map((code) => ['\0\0\0', { kind: 'exited', code }]),
    );
  });

  it('§0 rule 7: standard input is what is given, and empty otherwise', async () => {
    const harness = await open();
    const big = 'input\n'.repeat(50_000);
    expect((await run(harness, 'cat', { stdin: 'hello' })).stdout).toBe('hello');
    expect((await run(harness, 'cat', { stdin: big })).stdout).toBe(big);
    expect((await run(harness, 'cat; echo done', { stdin: '' })).stdout).toBe('done\n');
    expect((await run(harness, 'cat; echo done')).stdout).toBe('done\n');
    expect((await run(harness, 'echo not reading', { stdin: big })).exit).toEqual({ kind: 'exited', code: 0 });
  });

  it('the environment is what is given, later entries win, and odd values arrive', async () => {
    const harness = await open();
    const env = [
      ['PATH', '/usr/bin:/bin'],
      ['A', 'first'],
      ['B', 'with "quotes" $and spaces\nand a line'],
      ['A', 'second'],
      ['E', ''],
    ] as const;
    const ran = await run(harness, 'echo "$A"; echo "$B"; echo "$E"; echo "<$UNSET>"', { env });
    expect(ran.stdout).toBe('second\nwith "quotes" $and spaces\nand a line\n\n<>\n');
  });

  it('the working directory is made when missing', async () => {
    const harness = await open();
    const { ran, name } = await runAndCommit(harness, 'pwd; echo text > file', { workdir: '/made/deep down' });
    expect(ran.stdout).toBe('/made/deep down\n');
    expect(await textOf(harness.store, name, 'made/deep down/file')).toBe('text\n');
  });

  it('the user may be ids or a name of the image', async () => {
    const harness = await open();
    const who = async (user: Parameters<typeof run>[2]): Promise<string> =>
      (await run(harness, 'id -u; id -g', user)).stdout;
    if (harness.files === 'windows') {
      // By name alone, and those of Unix are told apart from unknown ones.
      for (const name of ['ContainerAdministrator', 'containeruser']) {
        expect((await run(harness, 'exit 3', { user: { kind: 'name', name } })).exit).toEqual({
          kind: 'exited',
          code: 3,
        });
      }
      expect(await rejection(who({ user: { kind: 'id', uid: 4242, gid: 4343 } }))).toBe('backend.unix-user');
      expect(await rejection(who({ user: { kind: 'name', name: 'nobody-such' } }))).toBe('backend.unknown-user');
      return;
    }
    expect(await who({ user: { kind: 'id', uid: 4242, gid: 4343 } })).toBe('4242\n4343\n');
    expect(await who({ user: { kind: 'name', name: 'builder' } })).toBe('1000\n1002\n');
    expect(await who({ user: { kind: 'name', name: 'root' } })).toBe('0\n0\n');
    expect(await who({ user: { kind: 'name', name: '1000:7' } })).toBe('1000\n7\n');
    expect(await rejection(run(harness, 'true', { user: { kind: 'name', name: 'nobody-such' } }))).toBe(
      'backend.unknown-user',
    );
  });

  it('what a process writes, makes and changes is in the committed snapshot, with its owner and mode', async () => {
    const harness = await open();
    const { name } = await runAndCommit(
      harness,
      'mkdir -p d/e && echo hello > d/e/f && chmod 751 d/e/f && ln -s e/f d/link',
      {
        workdir: '/private',
        user: plainUser(harness),
      },
    );
    await withTree(harness.store, name, async (tree) => {
      expect(await metaOf(tree, 'private/d/e/f')).toMatchObject(
        kept(harness, { kind: 'file', uid: 1000, gid: 1002, mode: '751' }),
      );
      expect(await tree.resolve('private/d/link')).toMatchObject({ path: 'private/d/e/f' });
    });
    expect(await textOf(harness.store, name, 'private/d/e/f')).toBe('hello\n');
    expect(await textOf(harness.store, await baseWithUsers(harness), 'private/d/e/f')).toBeUndefined();
  });

  it('what a process deletes is gone in the committed snapshot and still in its parent', async () => {
    const harness = await open();
    const { name } = await runAndCommit(harness, 'rm -rf /private /etc/group');
    await withTree(harness.store, name, async (tree) => {
      expect((await tree.resolve('private')).entry).toBeUndefined();
      expect((await tree.resolve('etc/group')).entry).toBeUndefined();
      expect((await tree.resolve('etc/passwd')).entry).toBeDefined();
    });
    const parent = await baseWithUsers(harness);
    await withTree(harness.store, parent, async (tree) => expect((await tree.resolve('private')).entry).toBeDefined());
  });

  it('a run can stand on a layer, and a layer on a run', async () => {
    const harness = await open();
    const first = await runAndCommit(harness, 'echo run > /from-run');
    const second = await layer(harness.store, first.name, []);
    const lease = await harness.store.lease('conformance');
    const working = await harness.store.prepare(second, 'run', lease);
    expect((await run(harness, 'cat /from-run', { working })).stdout).toBe('run\n');
    await harness.store.abandon(working);
    await lease.release();
  });

  it('the host name is as asked, and the network has only a loopback unless it is the host’s', async () => {
    const harness = await open();
    expect((await run(harness, 'hostname', { hostname: 'builder' })).stdout).toBe('builder\n');
    const interfaces = async (network: 'none' | 'host'): Promise<string[]> => {
      const { stdout } = await run(harness, 'cat /proc/net/dev', { network });
      return [...stdout.matchAll(/^\s*([^\s:|]+):/gm)]
        .map((match) => match[1] ?? '')
        .filter((name) => !/^(tunl|sit|gre|erspan|ip_vti|ip6|teql|ifb|dummy)/.test(name));
    };
    expect(await interfaces('none')).toEqual(['lo']);
    expect((await interfaces('host')).length).toBeGreaterThan(1);
  });

  it('a cache is mounted where it is asked for, writable, and is no part of the snapshot', async () => {
    const harness = await open();
    const { store } = harness;
    const request = { id: 'c', sharing: 'shared', owner: { uid: 1000, gid: 1002 }, mode: 0o755 } as const;
    const cache = await store.acquireCache(request, new AbortController().signal);
    const mounts = [{ source: cache.directory, target: '/var/cache/c', readonly: false }];
    const user = plainUser(harness);
    const { name } = await runAndCommit(harness, 'echo cached > /var/cache/c/f', { mounts, user });
    expect((await run(harness, 'cat /var/cache/c/f', { mounts })).stdout).toBe('cached\n');
    const readonly = [{ source: cache.directory, target: '/ro', readonly: true }];
    expect((await run(harness, 'echo x > /ro/f && echo WRITTEN; cat /ro/f', { mounts: readonly })).stdout).toBe(
      'cached\n',
    );
    await cache.release();
    expect(await textOf(store, name, 'var/cache/c/f')).toBeUndefined();
  });

  it('a secret is a read-only file for the user of the step alone, and stays out of the snapshot', async () => {
    const harness = await open();
    const secrets = [{ target: '/run/secrets/token', value: new TextEncoder().encode('s3cret ü\n') }];
    const user = plainUser(harness);
    const stat = harness.files === 'windows' ? '' : 'stat -c %u:%a /run/secrets/token; ';
    const script = `cat /run/secrets/token; ${stat}echo x > /run/secrets/token && echo WRITTEN`;
    const { ran, name } = await runAndCommit(harness, script, { secrets, user });
    expect(ran.stdout).toBe(stat === '' ? 's3cret ü\n' : 's3cret ü\n1000:400\n');
    const asRoot = await run(harness, 'echo x > /run/secrets/token && echo WRITTEN; cat /run/secrets/token', {
      secrets,
    });
    expect(asRoot.stdout).toBe('s3cret ü\n');
    // An empty mount point may stay behind; the value may not.
    expect((await textOf(harness.store, name, 'run/secrets/token')) ?? '').toBe('');
    expect((await run(harness, 'cat /run/secrets/token')).stdout).toBe('');
  });

  it('many runs at once, each on its own working snapshot, do not see each other', async () => {
    const harness = await open();
    const runs = await Promise.all(
      Array.from({ length: 6 }, (_, index) => run(harness, `echo ${index} > /own; sleep 0.1; cat /own`)),
    );
    expect(runs.map((ran) => ran.stdout)).toEqual([0, 1, 2, 3, 4, 5].map((index) => `${index}\n`));
  });

  it('two processes in turn can run on one working snapshot', async () => {
    const harness = await open();
    await onWorking(harness, async (working) => {
      await run(harness, 'echo kept > /f', { working });
      expect((await run(harness, 'cat /f', { working })).stdout).toBe('kept\n');
    });
  });
}
