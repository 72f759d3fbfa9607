// npm run test:windows-lane: our tests on a real node.exe under Wine. Arguments are parts of the names of test files.
import { ensureWorkspace } from './lib/bootstrap.mjs';
import { runWindowsLane } from './lib/windows-lane.mjs';

try {
  await ensureWorkspace();
  process.exitCode = (await runWindowsLane(process.argv.slice(2))) ?? 1;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
