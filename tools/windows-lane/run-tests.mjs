import { readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { root } from '../lib/paths.mjs';
import { windowsUrl } from './bundle.mjs';
import { skippedTests } from './suites.mjs';
import { windowsPath } from './wine.mjs';

const reporter = windowsUrl(fileURLToPath(new URL('reporter.mjs', import.meta.url)));
/** More than a test may take (vitest-on-node.ts): what is silent for longer hangs. */
const silenceMs = 180_000;

/**
 * Runs one bundled test file on node.exe. A file is good when its tests all passed, there was at least one, the reporter got to
 * its end, and Node ended by itself with 0. One that hangs is run a second time, and the summary says so with what it did
 * meanwhile: a program that Wine does not wake is not told apart from one of ours in any other way. A test that fails is never
 * run again.
 */
export async function runTestFile(wine, file) {
  const first = await runOnce(wine, file);
  if (!first.isHung) return first;
  const second = await runOnce(wine, file);
  return { ...second, seconds: first.seconds + second.seconds, hung: first.hung };
}

async function runOnce(wine, { node, source, bundle, outputFolder, env }) {
  const name = path.basename(bundle, '.mjs');
  const output = path.join(outputFolder, `${name}.txt`);
  const report = path.join(outputFolder, `${name}.jsonl`);
  rmSync(report, { force: true });
  const startedAt = performance.now();
  const skips = skippedTests[source] ?? {};
  const args = [
    `--test-reporter=${reporter}`,
    `--test-reporter-destination=${windowsPath(report)}`,
    // As vitest does: what a test leaves open is no failure of it.
    '--test-force-exit',
    windowsPath(bundle),
  ];
  const { code, stalled } = await wine.run(node, args, {
    output,
    silenceMs,
    progress: () => statSync(report, { throwIfNoEntry: false })?.size,
    env: { ...env, LOAM_LANE_SOURCE: windowsPath(path.join(root, source)), LOAM_LANE_SKIPPED: JSON.stringify(skips) },
  });
  const seconds = (performance.now() - startedAt) / 1000;
  return { source, seconds, ...judge({ code, stalled, report: read(report), said: tail(output), skips }) };
}

/** What a run was worth: its exit code or how it stalled, the reporter's lines, its last words, the tests to skip. */
export function judge({ code, stalled, report, said, skips }) {
  const lines = parseLines(report);
  const tests = lines.filter(({ outcome }) => outcome !== undefined);
  const failures = tests.filter(({ outcome }) => outcome === 'fail').map(({ name, why }) => `${name}\n${why}`);
  const hung = stalled && `behind "${tests.at(-1)?.name}": ${stalled}`;
  const isHung = hung !== undefined && failures.length === 0;
  const passed = tests.filter(({ outcome }) => outcome === 'pass').length;
  const skipped = tests.filter(({ outcome }) => outcome === 'skipped').length;
  if (hung !== undefined) failures.push(`hung ${hung}\n${said}`);
  else if (lines.at(-1)?.isOver !== true) failures.push(`Node ended with ${code} in the middle\n${said}`);
  else if (code !== 0 && failures.length === 0) failures.push(`Node ended with ${code}\n${said}`);
  else if (passed === 0) failures.push('has no test that passed');
  else if (skipped !== Object.keys(skips).length) failures.push(`skipped ${skipped} tests, and the list names others`);
  return { passed, skipped, failures, ...(isHung ? { isHung, hung } : {}) };
}

function parseLines(report) {
  // The last one is empty, or was not written to its end.
  const lines = report.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

function tail(file) {
  return read(file).split('\n').slice(-20).join('\n');
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
