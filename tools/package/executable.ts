import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

import { inject } from 'postject';

import { npmPackage } from '../lib/npm-package.mjs';
import { root } from '../lib/paths.mjs';
import { makeWorkFolder } from '../lib/work-folder.mjs';
import type { AgentBundle } from './bundle.ts';
import { licenseTexts } from './licenses.ts';
import { makerNode, type PackagePlatform } from './platforms.ts';

/** Marks, in every node binary, the place where it notes that a blob has been put into it (Node's documentation, "Single executable applications"). */
const sentinelFuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** What stack traces name. */
const scriptName = 'loam-agent.cjs';

/** Makes one executable: Node, the script, the native parts and all their licences in one file. Gives its path. */
export async function makeExecutable(
  { script, packages }: AgentBundle,
  platform: PackagePlatform,
  directory: string,
): Promise<string> {
  const makerFolder = await npmPackage(makerNode());
  const maker = path.join(makerFolder, 'bin/node');
  const base = path.join(await npmPackage(platform.node), platform.nodePath);
  const work = await makeWorkFolder(directory, '.making-');
  try {
    const assets: Record<string, string> = { 'licenses.txt': 'licenses.txt' };
    const folders = [...packages, makerFolder];
    for (const { name, from, path: inside, licensedIn } of platform.assets) {
      assets[name] = path.join(await npmPackage(from), inside);
      folders.push(path.join(root, licensedIn));
    }
    writeFileSync(path.join(work, 'licenses.txt'), licenseTexts(folders));
    writeFileSync(path.join(work, scriptName), script);
    // Neither code cache nor snapshot: both fit only the platform that made them.
    const config = { main: scriptName, output: 'blob', disableExperimentalSEAWarning: true, assets };
    writeFileSync(path.join(work, 'sea.json'), JSON.stringify(config));
    // In that folder, because the path of the script is written into the blob: the same sources shall give the same bytes.
    await promisify(execFile)(maker, ['--experimental-sea-config', 'sea.json'], { cwd: work });

    const executable = path.join(work, platform.fileName);
    copyFileSync(base, executable);
    chmodSync(executable, 0o755);
    await quietly(() => inject(executable, 'NODE_SEA_BLOB', readFileSync(path.join(work, 'blob')), { sentinelFuse }));
    const finished = path.join(directory, platform.fileName);
    renameSync(executable, finished);
    return finished;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The signature of node.exe does not fit any more, which postject says on the console whatever is done about it. */
async function quietly(work: () => Promise<void>): Promise<void> {
  const { warn, error, log } = console;
  const heard: unknown[] = [];
  const listen = (...words: unknown[]): void => void heard.push(words.join(' '));
  Object.assign(console, { warn: listen, error: listen, log: listen });
  try {
    await work();
  } catch (cause) {
    throw new Error(`postject failed: ${heard.join('\n')}`, { cause });
  } finally {
    Object.assign(console, { warn, error, log });
  }
}
