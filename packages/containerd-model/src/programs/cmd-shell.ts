import { sleep } from '@loam/base';

import { splitCommandLine } from '../runtime/command-line.ts';
import { fileCommand } from './cmd-files.ts';
import { directory, Exit, expand, fileWriter, read, text, type Frame } from './cmd-frame.ts';
import { cmdScript, parseCmd, unquote, type CmdCommand, type CmdScript } from './cmd-parser.ts';
import { findProgram, programName, standInCall, type StandIns } from './other-programs.ts';
import { absolutePath, type ProgramContext } from './program.ts';
import { tarProgram } from './tar-program.ts';

/**
 * `cmd /S /C "SCRIPT"`: enough of cmd for examples and tests, batch files included. `standIns` are further programs; what is
 * not known ends with 9009, as in cmd.
 */
export async function cmdShell(context: ProgramContext, standIns: StandIns = {}): Promise<number> {
  const frame: Frame = {
    context,
    standIns,
    env: new Map([...context.env].map(([name, value]) => [name.toUpperCase(), { name, value }])),
    cwd: context.cwd,
    status: 0,
    out: (bytes) => context.output('stdout', bytes),
    err: (text) => context.output('stderr', text),
    input: () => context.stdin(),
  };
  const script = cmdScript(context.commandLine);
  if (script === undefined) return interactive(frame);
  try {
    return await runScript(parseCmd(expand(script, frame)), frame);
  } catch (error) {
    if (error instanceof Exit) return error.code;
    if (context.signal.aborted || !(error instanceof Error)) throw error;
    frame.err(`${error.message}\r\n`);
    return 255;
  }
}

/** Without /C it takes its lines from standard input, until that ends. */
async function interactive(frame: Frame): Promise<number> {
  const parts: Uint8Array[] = [];
  for await (const part of frame.input()) parts.push(part);
  frame.context.signal.throwIfAborted();
  try {
    for (const line of Buffer.concat(parts).toString().split('\n')) {
      frame.status = await runScript(parseCmd(expand(line, frame)), frame);
    }
    return frame.status;
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  }
}

async function runScript(script: CmdScript, frame: Frame): Promise<number> {
  for (const { join, command } of script) {
    frame.context.signal.throwIfAborted();
    if (join === '&&' && frame.status !== 0) continue;
    if (join === '||' && frame.status === 0) continue;
    frame.status = command.kind === 'group' ? await runScript(command.script, frame) : await runSimple(command, frame);
  }
  return frame.status;
}

async function runSimple(command: CmdCommand & { kind: 'simple' }, frame: Frame): Promise<number> {
  let { out, err, input } = frame;
  try {
    for (const { stream, kind, target } of command.redirections) {
      if (kind === '&') {
        if (stream === 1) out = target === '2' ? (bytes) => err(text(bytes)) : out;
        else err = (words) => out(words);
      } else if (kind === '<') {
        const bytes = read(target, frame);
        input = async function* () {
          await Promise.resolve();
          yield bytes;
        };
      } else if (stream === 1) out = fileWriter(target, kind === '>>', frame);
      else err = fileWriter(target, kind === '>>', frame);
    }
    return await runCommand(command.words, command.text, { ...frame, out, err, input }, frame);
  } catch (error) {
    if (error instanceof Exit || frame.context.signal.aborted || !(error instanceof Error)) throw error;
    err(`${error.message}\r\n`);
    return 1;
  }
}

/** `keeps` is the frame in which `cd` and `set` last. */
async function runCommand(words: readonly string[], whole: string, frame: Frame, keeps: Frame): Promise<number> {
  const { context, out } = frame;
  const [first = '', ...quoted] = words;
  const args = quoted.map(unquote);
  const rest = whole.slice(first.length).trim();
  const paths = args.filter((arg) => !/^\/[a-z]+$/i.test(arg));
  switch (
    unquote(first)
      .toLowerCase()
      .replace(/\.exe$/, '')
  ) {
    case 'rem':
    case 'setlocal':
      return 0;
    case 'echo':
      // All behind the first blank, the blanks before an operator too.
      out(`${whole.slice(first.length + 1)}\r\n`);
      return 0;
    case 'echo.':
      out('\r\n');
      return 0;
    case 'type':
      for (const path of paths) out(read(path, frame));
      return 0;
    case 'more':
      for await (const bytes of frame.input()) out(bytes);
      return 0;
    case 'cd':
      if (paths.length === 0) out(`${frame.cwd}\r\n`);
      else keeps.cwd = directory(paths.at(-1) ?? '', frame);
      return 0;
    case 'set':
      return set(unquote(rest), frame, keeps);
    case 'exit':
      throw new Exit(Number(paths.at(-1) ?? frame.status) >>> 0, args[0]?.toLowerCase() === '/b');
    case 'ver':
      out('\r\nMicrosoft Windows [a model of it]\r\n');
      return 0;
    case 'whoami':
      out(`user manager\\${(context.user || 'ContainerUser').toLowerCase()}\r\n`);
      return 0;
    case 'hostname':
      out(`${context.hostname}\r\n`);
      return 0;
    case 'ipconfig':
      out(context.hasNetwork ? 'Ethernet adapter vEthernet (model):\r\n' : '\r\nWindows IP Configuration\r\n\r\n');
      return 0;
    case 'ping':
      await sleep(context.clock, (Number(args[args.indexOf('-n') + 1]) - 1) * 1000, context.signal);
      return 0;
    case 'if':
      return await runIf(words, frame);
    case 'call':
      return await runCommand(words.slice(1), rest, frame, keeps);
    case 'start':
      return await runStarted(rest, frame, keeps);
    case 'cmd':
      return await runScript(parseCmd(cmdScript(whole) ?? ''), frame);
    case 'tar':
      return await tarProgram(args, { ...frame, at: context.at, stdin: frame.input });
    default:
      return (
        fileCommand(unquote(first).toLowerCase(), paths, args, frame) ??
        (await runOther(unquote(first), whole, frame, keeps))
      );
  }
}

/** `start "TITLE" /wait PROGRAM …` */
async function runStarted(rest: string, frame: Frame, keeps: Frame): Promise<number> {
  const command = /^(?:"[^"]*"\s*)?((?:\/\w+\s+)*)(.*)$/s.exec(rest);
  if (!/\/w/i.test(command?.[1] ?? '')) throw new Error('the model starts programs only with /wait');
  const whole = command?.[2] ?? '';
  return runOther(unquote(/^(?:"[^"]*"|\S)+/.exec(whole)?.[0] ?? ''), whole, frame, keeps);
}

/** A batch file, or a program that a stand-in plays; both have to be there as files. */
async function runOther(command: string, whole: string, frame: Frame, keeps: Frame): Promise<number> {
  const path = findProgram(command, frame);
  if (path === undefined) {
    frame.err(
      `'${command}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n`,
    );
    return 9009;
  }
  const standIn = frame.standIns[programName(command)];
  if (standIn) return standIn(standInCall(whole, frame));
  if (/\.(?:cmd|bat)$/i.test(path)) return runBatch(text(read(path, frame)), whole, frame, keeps);
  frame.err(`the model cannot run ${path}\r\n`);
  return 1;
}

/** Line by line, so that each sees what the ones before it set; the working directory and variables last. */
async function runBatch(lines: string, whole: string, frame: Frame, keeps: Frame): Promise<number> {
  const own: Frame = { ...frame, status: 0 };
  const words = splitCommandLine(whole);
  try {
    for (const line of lines.split(/\r?\n/)) {
      const command = line
        .trim()
        .replace(/^@/, '')
        .replace(/%(\d)/g, (_, place: string) => words[Number(place)] ?? '');
      if (command === '' || /^(?:rem\b|echo off$)/i.test(command)) continue;
      own.status = await runScript(parseCmd(expand(command, own)), own);
    }
    return own.status;
  } catch (error) {
    if (error instanceof Exit && error.onlyBatch) return error.code;
    throw error;
  } finally {
    keeps.cwd = own.cwd;
  }
}

/** `if [not] exist PATH COMMAND` and `if [not] A==B COMMAND`. */
async function runIf(words: readonly string[], frame: Frame): Promise<number> {
  const rest = words.slice(1);
  const isNot = rest[0]?.toLowerCase() === 'not';
  if (isNot) rest.shift();
  let holds: boolean;
  if (rest[0]?.toLowerCase() === 'exist') {
    const place = frame.context.at(absolutePath(unquote(rest[1] ?? ''), frame.cwd));
    holds = place.tree.resolve(place.path).entry !== undefined;
    rest.splice(0, 2);
  } else {
    const [left, right] = (rest.shift() ?? '').split('==');
    holds = left === right;
  }
  return holds === isNot ? frame.status : runCommand(rest, rest.join(' '), frame, frame);
}

function set(assignment: string, frame: Frame, keeps: Frame): number {
  const at = assignment.indexOf('=');
  if (at < 0) {
    const wanted = assignment.toUpperCase();
    const found = [...frame.env.values()].filter(({ name }) => name.toUpperCase().startsWith(wanted));
    for (const { name, value } of found) frame.out(`${name}=${value}\r\n`);
    return found.length > 0 ? 0 : 1;
  }
  const name = assignment.slice(0, at);
  const value = assignment.slice(at + 1);
  if (value === '') keeps.env.delete(name.toUpperCase());
  else keeps.env.set(name.toUpperCase(), { name, value });
  return 0;
}
