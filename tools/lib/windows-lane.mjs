import { ensurePrograms } from './debian.mjs';
import { workspaceNode } from './node.mjs';
import { run, say } from './run.mjs';

/** Runs the Windows lane and gives its exit code; undefined, and a line that says why, where it cannot run. */
export async function runWindowsLane(wanted = []) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    say(`windows lane skipped: it needs Wine on x64 Linux, and this is ${process.platform} on ${process.arch}`);
    return undefined;
  }
  const missing = await ensurePrograms(['wine64', 'x86_64-w64-mingw32-gcc']);
  if (missing.length > 0) {
    say(`windows lane skipped: it needs these Debian packages: apt-get install ${missing.join(' ')}`);
    return undefined;
  }
  return (await run(workspaceNode(), ['tools/windows-lane/lane.mjs', ...wanted])).code;
}
