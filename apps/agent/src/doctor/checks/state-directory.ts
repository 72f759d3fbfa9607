import { randomUUID } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { removeFile } from '@loam/files';

import { protectionArguments } from '../../protect-directory.ts';
import { defineCheck, ok, problem, skipped, unknown, warning, type Verdict } from '../check.ts';
import type { DoctorHost } from '../doctor-host.ts';

interface StateFacts {
  readonly directory: string;
  readonly exists: boolean;
  /** Why nothing can be written. */
  readonly writeFailure?: string | undefined;
  /** Files that hold a credential and are there, with who may read them. */
  readonly files: readonly { readonly name: string; readonly mode: number }[];
  /** Windows: the access list of the directory, as SDDL. */
  readonly sddl?: string | undefined;
}

const privateFiles = ['config.json', 'identity', 'registries.json'];
/** Everyone, the users of the host, everybody who has logged in. Source: Microsoft, "SID strings". */
const strangers = /\(A;[^;]*;[^;]*;;;(?:WD|BU|AU|S-1-1-0|S-1-5-32-545|S-1-5-11)\)/g;
const aclScript = '(Get-Acl -LiteralPath $env:LOAM_DOCTOR_PATH).Sddl';

export const stateDirectory = defineCheck<StateFacts>({
  id: 'state.directory',
  title: 'State directory',
  gather,
  judge: (facts, host) => judgeState(facts, host.os),
});

async function gather(host: DoctorHost): Promise<StateFacts> {
  const directory = host.stateDirectory;
  const exists = await stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!exists) return { directory, exists, files: [] };
  const probe = join(directory, `.doctor-${randomUUID()}`);
  const writeFailure = await writeFile(probe, '').then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );
  await removeFile(probe);
  const files: { name: string; mode: number }[] = [];
  for (const name of privateFiles) {
    const found = await stat(join(directory, name)).catch(() => undefined);
    if (found) files.push({ name, mode: found.mode & 0o777 });
  }
  return { directory, exists, writeFailure, files, ...(host.os === 'windows' ? { sddl: await readSddl(host) } : {}) };
}

async function readSddl(host: DoctorHost): Promise<string | undefined> {
  const arguments_ = ['-NoProfile', '-NonInteractive', '-Command', aclScript];
  const { code, stdout } = await host.run('powershell.exe', arguments_, { LOAM_DOCTOR_PATH: host.stateDirectory });
  return parseSddl(code, stdout);
}

/** Undefined when it is none: a program that says nothing has not told that nobody comes in. */
export function parseSddl(code: number, stdout: string): string | undefined {
  const text = stdout.trim();
  return code === 0 && /D:[A-Z]*\(/.test(text) ? text : undefined;
}

/** As PowerShell takes them. */
function protectionCommands(directory: string): string[] {
  return protectionArguments(directory).map((line) => `icacls ${line.map((word) => `"${word}"`).join(' ')}`);
}

export function judgeState(
  { directory, exists, writeFailure, files, sddl }: StateFacts,
  os: DoctorHost['os'],
): Verdict {
  if (!exists) return skipped(`There is no ${directory} yet.`, 'The agent makes it when it is enrolled.');
  if (writeFailure !== undefined) {
    return problem(
      `Nothing can be written in ${directory}: ${writeFailure}.`,
      'The agent cannot write down what builds do, so it takes none.',
      'Check the owner of the directory, whether the disk is full, and whether it is mounted read-only.',
    );
  }
  const secrets = "Whoever can read the agent's credential can take its builds and their secrets.";
  if (os === 'windows') {
    if (sddl === undefined) return unknown(`${directory} is writable; its access list could not be read.`, secrets);
    const open = sddl.match(strangers) ?? [];
    const seen = `The access list of ${directory} is ${sddl}.`;
    if (open.length === 0) return ok(seen, 'Only administrators and the system come in.');
    return warning(
      `${seen} It lets others in: ${open.join(' ')}.`,
      secrets,
      `Run: ${protectionCommands(directory).join('; ')}`,
    );
  }
  const open = files.filter(({ mode }) => (mode & 0o077) !== 0);
  if (open.length > 0) {
    const names = open.map(({ name }) => join(directory, name));
    const modes = open.map(({ name, mode }) => `${name} has mode 0${mode.toString(8)}`).join(', ');
    return warning(`In ${directory} ${modes}.`, secrets, `Run: chmod 600 ${names.join(' ')}`);
  }
  const seen =
    files.length === 0 ? 'it holds no credential yet' : `${files.map(({ name }) => name).join(', ')} are 0600`;
  return ok(`${directory} is writable; ${seen}.`, 'Others cannot read what the agent keeps to itself.');
}
