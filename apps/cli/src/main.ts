import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

// Before anything else is loaded: half of the time that a short command takes is reading its sources.
enableCompileCache();
// Node 24 can hang for good in process.exit(): it waits for threads in which Maglev compiles, and they for a garbage collection
// of the thread that waits. Without that compiler it does not.
setFlagsFromString('--no-maglev');
const { runCli } = await import('./cli.ts');
const { systemIo } = await import('./io.ts');
process.exitCode = await runCli(process.argv.slice(2), systemIo());
