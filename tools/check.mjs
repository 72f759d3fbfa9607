// npm run check: types, lint, format, dead code, import direction. All run; the exit code says whether any found something.
import { ensureWorkspace } from './lib/bootstrap.mjs';
import { run, say } from './lib/run.mjs';

/** @type {[name: string, command: string, args: string[]][]} */
const checks = [
  ['types', 'tsc', ['-b']],
  ['lint', 'oxlint', ['--type-aware', '--deny-warnings']],
  ['format', 'oxfmt', ['--check', '.']],
  ['dead code', 'knip', ['--treat-config-hints-as-errors']],
  ['import direction', 'depcruise', ['--config', '.dependency-cruiser.cjs', 'apps', 'packages']],
];

const failed = [];
try {
  await ensureWorkspace();
  for (const [name, command, args] of checks) {
    const { code, output } = await run(command, args, { quiet: true });
    say(`${code === 0 ? 'ok    ' : 'FAILED'}  ${name}`);
    if (code === 0) continue;
    failed.push(name);
    process.stdout.write(output);
  }
  if (failed.length > 0) throw new Error(`npm run check found faults in: ${failed.join(', ')}`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
