import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

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
const late = `no answer within ${timeoutMs / 1000} s`;
const bodyMax = 2_000;

/** Asks for one small page. By the connection's own modules: fetch would cost an idle agent some megabytes for good. */
export function askFarm(
  url: string,
  now: () => number,
  headers: Readonly<Record<string, string>> = {},
): Promise<FarmAnswer | RequestFailure> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest;
  const sentAtMs = now();
  return new Promise((resolve) => {
    const fail = (error: Error & { code?: string }): void => resolve(failureOf(error));
    // Both limits: one for silence, one for a trickle that never ends.
    const signal = AbortSignal.timeout(2 * timeoutMs);
    // By Node's own agent, which knows of proxies; the connection is not kept.
    const options = { headers: { connection: 'close', ...headers }, timeout: timeoutMs, signal };
    const asked = request(url, options, (response) => {
      const receivedAtMs = now();
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
        if (body.length > bodyMax) response.destroy();
      });
      response.on('error', fail);
      response.on('close', () => {
        const { statusCode = 0, headers: answered } = response;
        const date = answered.date ?? null;
        resolve({ status: statusCode, date, body: body.slice(0, bodyMax), sentAtMs, receivedAtMs });
      });
    });
    asked.on('timeout', () => asked.destroy(Object.assign(new Error(late), { code: 'timeout' })));
    asked.on('error', fail);
    asked.end();
  });
}

export function isFailure(answer: FarmAnswer | RequestFailure): answer is RequestFailure {
  return 'code' in answer;
}

/** Several addresses that were tried hide why none did. */
function failureOf(error: Error & { code?: string; errors?: readonly Error[] }): RequestFailure {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return { code: 'timeout', message: late };
  const { code = 'unknown', message } = (error.errors?.[0] ?? error) as Error & { code?: string };
  return { code, message: message || code };
}

/** Codes with which Node refuses a certificate. */
export function isTlsFailure(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|HOSTNAME/.test(code);
}
