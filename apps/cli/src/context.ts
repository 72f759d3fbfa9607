import { createClient, type Client } from '@loam/contracts';

import { exitCodes } from './exit-code.ts';
import type { Io } from './io.ts';
import { createStyle, type Style } from './output/style.ts';
import { findFarm, type Farm, type GlobalOptions } from './settings.ts';

/** What a command works with. Made once for a command line. */
export interface CliContext {
  readonly io: Io;
  /** What the process ends with when nothing is thrown. */
  exitCode: number;
  /** What it ends with when something is. */
  failureCode: number;
  setGlobals(options: GlobalOptions): void;
  style(): Style;
  errorStyle(): Style;
  /** The farm that the user means. */
  farm(): Farm;
  client(): Client;
  /** Writes a line. */
  line(text?: string): Promise<void>;
  /** Writes a value as indented JSON. */
  json(value: unknown): Promise<void>;
}

export function createContext(io: Io): CliContext {
  let globals: GlobalOptions = {};
  const style = (): Style => createStyle(globals.color, io.env, io.stdoutIsTerminal);
  const farm = (): Farm => findFarm(globals, io);
  return {
    io,
    exitCode: exitCodes.success,
    failureCode: exitCodes.failure,
    setGlobals(options) {
      globals = options;
    },
    style,
    errorStyle: style,
    farm,
    client() {
      const { url, token } = farm();
      return createClient(token === undefined ? { url } : { url, token });
    },
    line: (text = '') => io.out(`${text}\n`),
    json: (value) => io.out(`${JSON.stringify(value, undefined, 2)}\n`),
  };
}
