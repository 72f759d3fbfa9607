import { toLoamError, type LoamError } from '@loam/base';
import { createClient, type Client, type Diagnostic } from '@loam/contracts';

const unauthorisedListeners = new Set<() => void>();

/** Called whenever the farm answers that it does not know who asks. */
export function onUnauthorised(listener: () => void): () => void {
  unauthorisedListeners.add(listener);
  return () => unauthorisedListeners.delete(listener);
}

async function watchedFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init);
  if (response.status === 401) for (const listener of unauthorisedListeners) listener();
  return response;
}

/** The farm that served this page; the session cookie says who asks. */
export const api: Client = createClient({ url: '', fetch: watchedFetch });

/** What to show of a failure: code, message, remedy. An unreachable farm is worded for a browser, not for the CLI. */
export function shownError(error: unknown): { code: string; message: string; remedy: string } {
  const known: LoamError = toLoamError(error);
  if (known.code !== 'cli.api-unreachable') return known.toPublic();
  return {
    code: known.code,
    message: 'The farm does not answer.',
    remedy: 'Check that the API runs and that this machine reaches it. The page goes on by itself once it does.',
  };
}

/** The positions that came with a refusal, if any. */
export function diagnosticsOf(error: unknown): Diagnostic[] {
  const found = (error as { diagnostics?: unknown } | null)?.diagnostics;
  return Array.isArray(found) ? (found as Diagnostic[]) : [];
}

/** Address of a log's bytes, for downloads. */
export function logUrl(logId: string): string {
  return `/api/v1/logs/${encodeURIComponent(logId)}`;
}

/** Logs this browser in with an API token. */
export async function openSession(token: string): Promise<void> {
  await api.raw('/session', { method: 'POST', body: { token } });
}

export async function closeSession(): Promise<void> {
  await api.raw('/session', { method: 'DELETE' });
}
