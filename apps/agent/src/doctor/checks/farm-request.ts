import { LoamError } from '@loam/base';

/** Why a request to the farm came to nothing, as a sentence and what to do. */
export interface RequestFailure {
  /** `ECONNREFUSED`, `CERT_HAS_EXPIRED`, `timeout`. */
  readonly code: string;
  readonly message: string;
}

export interface FarmAnswer {
  readonly status: number;
  readonly date: string | null;
  readonly body: string;
  /** By our clock. */
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
}

const timeoutMs = 10_000;
const bodyMax = 2_000;

/** Asks the farm for one small page. */
export async function askFarm(
  url: string,
  now: () => number,
  headers: Readonly<Record<string, string>> = {},
): Promise<FarmAnswer | RequestFailure> {
  const sentAtMs = now();
  try {
    const response = await fetch(url, { headers, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
    const receivedAtMs = now();
    const body = (await response.text()).slice(0, bodyMax);
    return { status: response.status, date: response.headers.get('date'), body, sentAtMs, receivedAtMs };
  } catch (error) {
    return failureOf(error);
  }
}

export function isFailure(answer: FarmAnswer | RequestFailure): answer is RequestFailure {
  return 'code' in answer;
}

/** fetch hides why behind "fetch failed"; several addresses hide it once more. */
function failureOf(error: unknown): RequestFailure {
  if (error instanceof LoamError) return { code: error.code, message: error.message };
  if ((error as { name?: string }).name === 'TimeoutError') {
    return { code: 'timeout', message: `no answer within ${timeoutMs / 1000} s` };
  }
  let cause = error as { code?: string; message?: string; cause?: unknown; errors?: unknown[] };
  for (let inner = cause.cause ?? cause.errors?.[0]; inner; inner = cause.cause ?? cause.errors?.[0]) {
    cause = inner as typeof cause;
  }
  return { code: cause.code ?? 'unknown', message: cause.message || String(cause.code) };
}

/** Codes with which Node refuses a certificate. */
export function isTlsFailure(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|HOSTNAME/.test(code);
}
