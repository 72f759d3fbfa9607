import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One call that a fake plugin was given. */
export interface FakePluginCall {
  readonly command: string;
  readonly containerId: string;
  readonly namespace: string;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface FakeCniPlugin {
  /** For CNI_PATH. */
  readonly directory: string;
  /** What it was called with, in order. */
  calls(): Promise<FakePluginCall[]>;
}

/**
 * A program that answers as a CNI plugin would and connects nothing. `answers` says what its ADD does: `address` is the one it
 * claims to have given; `fail` ends with a CNI error, `hang` never ends, and `babble` answers what is not JSON.
 */
export async function makeFakeCniPlugin(
  directory: string,
  type: string,
  answers: { readonly address?: string; readonly how?: 'fail' | 'hang' | 'babble' } = {},
): Promise<FakeCniPlugin> {
  await mkdir(directory, { recursive: true });
  const log = join(directory, 'calls');
  await writeFile(log, '');
  const program = join(directory, type);
  if (answers.how === 'hang') {
    const call = JSON.stringify({ command: 'ADD', containerId: '', namespace: '', config: {} });
    const hang = `printf "waiting for HNS" >&2\necho '${call}' >>'${log}'\nexec sleep 600\n`;
    await writeFile(program, `#!/bin/sh\n[ "$CNI_COMMAND" = ADD ] || exit 0\n${hang}`, { mode: 0o755 });
  } else await writeFile(program, answeringProgram(log, answers), { mode: 0o755 });
  return {
    directory,
    async calls() {
      const lines = (await readFile(log, 'utf8')).split('\n').filter((line) => line !== '');
      return lines.map((line) => JSON.parse(line) as FakePluginCall);
    },
  };
}

function answeringProgram(log: string, answers: { readonly address?: string; readonly how?: string }): string {
  return `#!${process.execPath}
const fs = require('node:fs');
const { CNI_COMMAND: command, CNI_CONTAINERID: containerId, CNI_NETNS: namespace } = process.env;
const config = JSON.parse(fs.readFileSync(0, 'utf8'));
fs.appendFileSync(${JSON.stringify(log)}, JSON.stringify({ command, containerId, namespace, config }) + '\\n');
const { address = '172.30.0.9', how } = ${JSON.stringify(answers)};
if (command === 'ADD' && how === 'fail') {
  console.log(JSON.stringify({ cniVersion: config.cniVersion, code: 11, msg: 'no room', details: 'in the subnet' }));
  process.exitCode = 1;
} else if (command === 'ADD' && how === 'babble') console.log('well');
else if (command === 'ADD') console.log(JSON.stringify({ cniVersion: config.cniVersion, ips: [{ address: address + '/16' }] }));
`;
}
