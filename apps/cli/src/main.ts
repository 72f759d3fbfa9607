import { runCli } from './cli.ts';
import { systemIo } from './io.ts';

process.exitCode = await runCli(process.argv.slice(2), systemIo());
