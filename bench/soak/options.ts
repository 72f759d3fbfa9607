import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

export interface SoakOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly queue: 'postgres' | 'redis';
  /** Names of the faults to make; all of them unless told. */
  readonly faults: readonly string[] | undefined;
  /** Leave the data directory where it is. */
  readonly keep: boolean;
}

/** `--seed N --minutes N --queue postgres|redis --faults NAME,… --keep`. `--faults none` makes none. */
export function readOptions(args: readonly string[]): SoakOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string', default: '5' },
      queue: { type: 'string', default: 'postgres' },
      faults: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const { queue } = values;
  if (queue !== 'postgres' && queue !== 'redis') throw new Error('--queue is postgres or redis');
  return {
    seed: values.seed === undefined ? randomInt(1, 2 ** 31) : positive('--seed', values.seed),
    minutes: positive('--minutes', values.minutes),
    queue,
    faults: values.faults?.split(',').filter((name) => name !== 'none'),
    keep: values.keep,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} is a positive number`);
  return value;
}
