import { enableCompileCache } from 'node:module';
import { isSea } from 'node:sea';
import { setFlagsFromString } from 'node:v8';

// Before anything else is loaded: half of the time that a short command takes is reading its sources.
if (!isSea()) enableCompileCache();
// Node 24 can hang for good in process.exit(): it waits for threads in which Maglev compiles, and they for a garbage collection
// of the thread that waits. Without that compiler it does not.
setFlagsFromString('--no-maglev');
const [first, second] = process.argv.slice(2);
const isDaemon = first === 'run' || (first === 'service' && second === 'run');
if (isDaemon) {
  // The daemon mostly waits: V8 must not keep the memory that a burst of log took. Only works before the heap has grown.
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--max-semi-space-size=2');
  // The dispatcher of Windows services takes one of the threads for good.
  if (process.platform === 'win32') process.env['UV_THREADPOOL_SIZE'] ??= '8';
}
// No top-level await: in the single executable this is a CommonJS script.
void import('./cli.ts').then(async ({ runCli }) => {
  process.exitCode = await runCli(process.argv);
  // A look of the doctor may be under way: whoever stops a service to replace its program need not wait for that.
  // Behind what was printed, which on Windows may still be on its way.
  if (isDaemon && process.exitCode === 0) process.stdout.write('', () => process.exit());
});
