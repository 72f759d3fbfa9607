import { resolve } from 'node:path';

import { Command } from 'commander';

import { systemClock } from '@loam/base';

import { readInput } from '../user-file.ts';
import { formatAge, formatTable } from '../output/format.ts';
import type { CommandFactory } from './command.ts';

/** `loam secret ls|set|rm`: secrets that the farm keeps; their values never come back. */
export const secretCommand: CommandFactory = (cli) => {
  const secret = new Command('secret').description('secrets that the farm keeps for builds');

  secret
    .command('ls', { isDefault: true })
    .description('list their names')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const { items } = await cli.client().secrets();
      const now = systemClock.now();
      const rows = items.map((item) => [item.name, cli.style().dim(`changed ${formatAge(item.updatedAt, now)}`)]);
      await (options.json ? cli.json(items) : cli.io.out(formatTable(rows)));
    });
  secret
    .command('set')
    .description('store a value, from a file or from standard input, byte for byte')
    .argument('<name>', 'what specs are given it by: --secret id=NAME')
    .argument('[file]', 'where the value is; standard input without it')
    .action(async (name: string, file: string | undefined) => {
      const value = file === undefined ? await cli.io.readStdin() : await readInput(resolve(cli.io.cwd, file));
      await cli.client().putSecret(name, Buffer.from(value).toString('base64'));
      await cli.line(`${name} stored`);
    });
  secret
    .command('rm')
    .description('delete secrets')
    .argument('<names...>', 'which')
    .action(async (names: string[]) => {
      for (const name of names) {
        await cli.client().deleteSecret(name);
        await cli.line(`${name} deleted`);
      }
    });

  return secret;
};
