import type { LoamError } from '@loam/base';

import type { Style } from './style.ts';

/** What went wrong, its code, and what to do about it. */
export function formatError(error: Pick<LoamError, 'code' | 'message' | 'remedy'>, style: Style): string {
  return `${style.red(style.bold('error:'))} ${error.message} ${style.dim(`[${error.code}]`)}\n  ${error.remedy}\n`;
}
