import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';

import { stallOf } from './stall.mjs';

const programs = '/usr/lib/wine';

/**
 * A Windows of its own below `directory`, with one wineserver that lives until `stop`: without a persistent one, about one
 * start in thirty fails. Nothing of the caller's environment goes in, except where Linux needs it.
 */
export class Wine {
  #directory;
  #env;
  #server;
  #running = new Set();
  #stopping;

  constructor(directory) {
    this.#directory = directory;
    this.#env = {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      HOME: directory,
      WINEPREFIX: path.join(directory, 'prefix'),
      WINEDEBUG: '-all',
      // No installers of .NET and a browser, which would wait for somebody to answer.
      WINEDLLOVERRIDES: 'mscoree,mshtml=',
      LANG: 'C.UTF-8',
    };
  }

  /** The prefix's drive C, as Linux sees it. */
  get driveC() {
    return path.join(this.#env.WINEPREFIX, 'drive_c');
  }

  async start() {
    mkdirSync(this.#env.WINEPREFIX, { recursive: true });
    // In the foreground, so that it is a child of ours like any other.
    this.#server = this.#spawn(path.join(programs, 'wineserver'), ['-f', '-p']);
    // The first program makes the prefix. `wineboot -i` would boot it twice, and of two service managers each knows half.
    await this.#must(['cmd', '/c', 'exit']);
    // The default is Windows 7, which node.exe refuses.
    await this.#must(['winecfg', '/v', 'win10']);
  }

  /**
   * Runs a Windows program to its end, or kills it when `progress` gave the same for `silenceMs`. Its output goes to the file,
   * because node.exe refuses a pipe under Wine. Gives the exit code; when it was killed, none, and how it had stalled.
   */
  async run(program, args, { output, silenceMs, progress = () => 0, env = {}, cwd = this.#directory }) {
    // Another program would start another wineserver.
    if (this.#stopping) throw new Error('The lane was stopped.');
    const file = openSync(output, 'w');
    const { child, ended } = this.#spawn(path.join(programs, 'wine64'), [program, ...args], { file, env, cwd });
    closeSync(file);
    const controller = new AbortController();
    let stalled;
    const watching = stallOf(child.pid, { progress, silenceMs, signal: controller.signal }).then(
      (how) => {
        stalled = how;
        child.kill('SIGKILL');
      },
      () => undefined,
    );
    const code = await ended;
    controller.abort();
    await watching;
    return { code, stalled: code === undefined ? stalled : undefined };
  }

  /** Ends everything that runs in it, for good. Can be called in any state, and twice. */
  stop() {
    return (this.#stopping ??= this.#stop());
  }

  /** Ends what a process left that was killed while it had a Wine here: a persistent server would stay for ever. */
  async endLeftovers() {
    await this.#spawn(path.join(programs, 'wineserver'), ['-k']).ended;
  }

  async #stop() {
    if (!this.#server) return;
    for (const child of this.#running) if (child !== this.#server.child) child.kill('SIGKILL');
    await this.endLeftovers();
    const timer = setTimeout(() => this.#server.child.kill('SIGKILL'), 5_000);
    await this.#server.ended;
    clearTimeout(timer);
  }

  async #must(args) {
    const output = path.join(this.#directory, `${args[0]}.txt`);
    const { code, stalled } = await this.run(args[0], args.slice(1), { output, silenceMs: 180_000 });
    if (code !== 0) throw new Error(`${args.join(' ')} under Wine ended with ${code ?? stalled}`);
  }

  #spawn(program, args, { file = 'ignore', env = {}, cwd = this.#directory } = {}) {
    const child = spawn(program, args, { cwd, env: { ...this.#env, ...env }, stdio: ['ignore', file, file] });
    this.#running.add(child);
    const ended = new Promise((resolve) => {
      const done = (code) => {
        this.#running.delete(child);
        resolve(code ?? undefined);
      };
      child.on('error', () => done(undefined));
      child.on('exit', done);
    });
    return { child, ended };
  }
}

/** A path of Linux as programs under Wine see it. */
export function windowsPath(file) {
  return `Z:${file.replaceAll('/', '\\')}`;
}
