import { errorCatalogue, type ErrorCode } from './catalogue.ts';
import type { ErrorEntry } from './define.ts';

type Placeholders<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never;

/** The values that an error's message needs, by the names in its template. */
export type ErrorDetails<C extends ErrorCode> = Record<
  Placeholders<(typeof errorCatalogue)[C]['message']>,
  string | number
>;

export interface LoamErrorOptions {
  /** What the outside world threw; for logs only. */
  cause?: unknown;
  /** Internal facts for logs; never shown to a user. */
  internal?: string;
}

/** The shape in which an error travels: public, and nothing but public. */
export interface PublicError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}

/**
 * A failure that somebody may see: a stable code, a public message and what to do.
 * Thrown across asynchronous edges (docs/adr/0002); anything else that is thrown is a bug or a shutdown.
 */
export class LoamError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly remedy: string;
  readonly internal: string | undefined;

  private constructor(code: ErrorCode, message: string, options: LoamErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const entry: ErrorEntry = errorCatalogue[code];
    this.name = 'LoamError';
    this.code = code;
    this.status = entry.status;
    this.remedy = entry.remedy;
    this.internal = options.internal;
  }

  static of<C extends ErrorCode>(code: C, details: ErrorDetails<C>, options: LoamErrorOptions = {}): LoamError {
    const entry: ErrorEntry = errorCatalogue[code];
    const values: Record<string, string | number> = details;
    const message = entry.message.replace(/\{([A-Za-z]+)\}/g, (_, name: string) => String(values[name]));
    return new LoamError(code, message, options);
  }

  /** Rebuilds an error that came over a wire. An unknown code becomes `general.internal`, keeping the message. */
  static fromPublic(error: { code: string; message: string }): LoamError {
    const code = error.code in errorCatalogue ? (error.code as ErrorCode) : 'general.internal';
    return new LoamError(code, error.message, {});
  }

  toPublic(): PublicError {
    return { code: this.code, message: this.message, remedy: this.remedy };
  }
}

/** Whether `error` is a LoamError, of one of `codes` when any are given. */
export function isLoamError(error: unknown, ...codes: ErrorCode[]): error is LoamError {
  return error instanceof LoamError && (codes.length === 0 || codes.includes(error.code));
}

/** What a user may see of anything that was thrown: a LoamError as it is, everything else as an internal error. */
export function toLoamError(error: unknown): LoamError {
  return error instanceof LoamError ? error : LoamError.of('general.internal', {}, { cause: error });
}

/** The error with which cancelled work ends. */
export function cancelled(): LoamError {
  return LoamError.of('general.cancelled', {});
}
