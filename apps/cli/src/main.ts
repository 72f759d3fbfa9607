import { enableCompileCache } from 'node:module';

// Before anything else is loaded: half of the time that a short command takes is reading its sources.
enableCompileCache();
const { runCli } = await import('./cli.ts');
const { systemIo } = await import('./io.ts');
process.exitCode = await runCli(process.argv.slice(2), systemIo());
