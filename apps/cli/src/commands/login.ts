import { Command } from 'commander';

import { LoamError } from '@loam/base';
import { createClient } from '@loam/contracts';

import type { CliContext } from '../context.ts';
import { storeFarm, type GlobalOptions } from '../settings.ts';
import type { CommandFactory } from './command.ts';

export const loginCommand: CommandFactory = (cli) =>
  new Command('login')
    .description(
      "store the farm's address and an API token for later commands; the token is read from standard input without --token",
    )
    .action(async (_options: object, command: Command) => {
      const farm = cli.farm();
      // A token that is stored already is what the user wants to replace.
      const given = command.optsWithGlobals<GlobalOptions>().token ?? cli.io.env['LOAM_TOKEN'];
      const token = given ?? (await readToken(cli));
      if (token === '') throw LoamError.of('cli.no-token', { url: farm.url });
      const me = await createClient({ url: farm.url, token }).me();
      const path = storeFarm({ url: farm.url, token }, cli.io);
      await cli.line(`Logged in to ${farm.url} as ${me.name} (Loam ${me.version}); stored in ${path}`);
    });

async function readToken(cli: CliContext): Promise<string> {
  if (cli.io.stdinIsTerminal) cli.io.err('API token (paste it, then Enter and Ctrl-D): ');
  return Buffer.from(await cli.io.readStdin())
    .toString()
    .trim();
}
