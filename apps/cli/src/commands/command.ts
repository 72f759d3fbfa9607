import type { Command } from 'commander';

import type { CliContext } from '../context.ts';

/** Makes one command of `loam`; `program` is the whole, for commands that speak about the others. */
export type CommandFactory = (cli: CliContext, program: Command) => Command;
