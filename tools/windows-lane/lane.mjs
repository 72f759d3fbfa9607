// The Windows lane: our tests on a real node.exe, under Wine. docs/windows-lane.md says what that shows and what it cannot.
// Arguments are parts of the names of the test files to run.
import { cpSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';

import { lockedIntegrity, npmPackage, windowsNode } from '../lib/npm-package.mjs';
import { root } from '../lib/paths.mjs';
import { say } from '../lib/run.mjs';
import { makeWorkFolder } from '../lib/work-folder.mjs';
import { bundleTests } from './bundle.mjs';
import { runTestFile } from './run-tests.mjs';
import { exceptionOf, skippedFiles, skippedTests, suites } from './suites.mjs';
import { buildPrograms } from './programs.mjs';
import { Wine, windowsPath } from './wine.mjs';

const workers = 2;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Runs the lane; true when all was well. */
async function runLane(wanted) {
  const home = path.join(root, 'node_modules', '.cache', 'windows-lane');
  const folder = await makeWorkFolder(home, 'run-', (left) => new Wine(left).endLeftovers());
  const wine = new Wine(folder);
  const stop = stopOnSignal(wine, folder);
  try {
    const [nodeFolder] = await Promise.all([npmPackage(windowsNode), layKoffi(folder)]);
    const files = filesOf(wanted);
    const [bundles, packaged, programs] = await Promise.all([
      bundleTests(files, path.join(folder, 'tests')),
      packageAgent(folder, files),
      buildPrograms(folder),
      wine.start(),
    ]);
    say(`Windows lane: Wine is up; ${bundles.size} files of tests on node.exe ${windowsNode.version}`);
    const node = path.join(nodeFolder, 'bin', 'node.exe');
    const env = { ...programs, ...packaged };
    const results = await inParallel([...bundles], ([source, bundle]) =>
      runTestFile(wine, { node, source, bundle, outputFolder: folder, env }),
    );
    return summarise(results);
  } finally {
    await stop();
  }
}

/** The agent as one file, when a test that asks for it is among those to run. */
async function packageAgent(folder, files) {
  const asks = (file) =>
    file.endsWith('.lane.ts') && readFileSync(path.join(root, file), 'utf8').includes('LOAM_LANE_AGENT');
  if (!files.some(asks)) return {};
  const { bundleAgent, makeExecutable, platforms } = await import('../package/index.ts');
  const windows = platforms.find(({ platform }) => platform === 'windows-x64');
  const directory = path.join(folder, 'packaged agent');
  mkdirSync(directory);
  return { LOAM_LANE_AGENT: windowsPath(await makeExecutable(await bundleAgent(), windows, directory)) };
}

function filesOf(wanted) {
  const all = suites.flatMap((pattern) => {
    const files = globSync(pattern, { cwd: root });
    if (files.length === 0) throw new Error(`The lane's list names ${pattern}, and there is no such file.`);
    return files;
  });
  const met = new Set(all.flatMap((file) => [file, exceptionOf(file)]));
  const gone = Object.keys({ ...skippedFiles, ...skippedTests }).filter((name) => !met.has(name));
  if (gone.length > 0) throw new Error(`The lane's list of exceptions names what is not there: ${gone.join(', ')}`);
  const runnable = all.filter((file) => exceptionOf(file) === undefined);
  const chosen = runnable.filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
  if (chosen.length === 0) throw new Error(`No file of the lane has a name like ${wanted.join(' or ')}.`);
  return chosen.toSorted();
}

/** koffi with its native part for Windows, where the tests look for it. */
async function layKoffi(folder) {
  const source = path.join(root, 'packages', 'backend-containerd', 'node_modules', 'koffi');
  const { version } = (await import(path.join(source, 'package.json'), { with: { type: 'json' } })).default;
  const name = '@koromix/koffi-win32-x64';
  const native = await npmPackage({ name, version, integrity: lockedIntegrity(name, version) });
  const modules = path.join(folder, 'node_modules');
  cpSync(source, path.join(modules, 'koffi'), { recursive: true, dereference: true });
  cpSync(native, path.join(modules, name), { recursive: true });
}

async function inParallel(items, work) {
  const results = [];
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) {
      const result = await work(item);
      results.push(result);
      const outcome = result.failures.length > 0 ? 'FAILED' : 'ok    ';
      const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
      const hung = result.hung === undefined ? '' : `; hung at first ${result.hung}, and was run again`;
      say(`${outcome}  ${result.source} (${result.passed} passed${skipped}, ${result.seconds.toFixed(1)} s${hung})`);
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return results;
}

function summarise(results) {
  const failed = results.filter(({ failures }) => failures.length > 0);
  for (const { source, failures } of failed) {
    for (const failure of failures) process.stdout.write(`\n${source}: ${failure}\n`);
  }
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const count = failed.reduce((sum, { failures }) => sum + failures.length, 0);
  const verdict = count === 0 ? '' : `, ${count} FAILED`;
  say(
    `Windows lane: ${passed} tests passed${verdict}, in ${results.length} files. This is Win32 by Wine, not Windows.`,
  );
  return count === 0;
}

/** Nothing of the lane outlives it: not when it fails, not when it is interrupted. */
function stopOnSignal(wine, folder) {
  let stopping;
  const stop = () => (stopping ??= end());
  const end = async () => {
    for (const signal of signals) process.off(signal, onSignal);
    await wine.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const onSignal = () => void stop().finally(() => process.exit(130));
  for (const signal of signals) process.on(signal, onSignal);
  return stop;
}

try {
  process.exitCode = (await runLane(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
