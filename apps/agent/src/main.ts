import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

// Before anything else is loaded: half of the time that a short command takes is reading its sources.
enableCompileCache();
if (process.argv[2] === 'run') {
  // The daemon mostly waits: V8 must not keep the memory that a burst of log took. Only works before the heap has grown.
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--max-semi-space-size=2');
}
const { runCli } = await import('./cli.ts');
process.exitCode = await runCli(process.argv);
