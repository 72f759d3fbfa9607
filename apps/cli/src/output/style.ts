export type ColorChoice = 'auto' | 'always' | 'never';

type Paint = (text: string) => string;

/** How text is marked up; without colours every function gives its text back. */
export interface Style {
  readonly colors: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly blue: Paint;
  readonly cyan: Paint;
}

/** `--color` decides, then NO_COLOR (https://no-color.org) and FORCE_COLOR, then whether there is a terminal. */
export function createStyle(
  choice: ColorChoice | boolean | undefined,
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): Style {
  const colors = decide(choice, env, isTerminal);
  const paint = (open: number, close: number): Paint =>
    colors ? (text) => `\u001b[${open}m${text}\u001b[${close}m` : (text) => text;
  return {
    colors,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    blue: paint(34, 39),
    cyan: paint(36, 39),
  };
}

function decide(
  choice: ColorChoice | boolean | undefined,
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  if (choice === 'always') return true;
  if (choice === 'never' || choice === false) return false;
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR'] && env['FORCE_COLOR'] !== '0') return true;
  return isTerminal && env['TERM'] !== 'dumb';
}
