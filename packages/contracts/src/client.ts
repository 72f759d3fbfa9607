import { LoamError } from '@loam/base';

import type { Agent, CreateEnrolmentToken, EnrolledAgent, EnrolmentToken, EnrolmentTokenState } from './http/agents.ts';
import type { Build, BuildSummary, ListBuildsQuery, SubmitBuild } from './http/builds.ts';
import type { CacheDeletion, CacheGraph, CacheNodeDetail } from './http/cache.ts';
import type { PageOf, Problem } from './http/common.ts';
import { blobFrame, type ContextManifest, type ContextReceipt } from './http/contexts.ts';
import type { AgentDoctor, AgentSelf, DoctorRequested } from './http/doctor.ts';
import type { Downloads } from './http/downloads.ts';
import type { CheckedSpec, Plan, PlanRequest } from './http/plans.ts';
import type { Me, StoredSecret } from './http/system.ts';

export interface ClientOptions {
  /** Origin of the API, such as `http://127.0.0.1:7700`. Empty in the browser: the page's own. */
  readonly url: string;
  /** Bearer token; without it the browser's session cookie serves. */
  readonly token?: string;
  readonly fetch?: typeof fetch;
}

interface CallOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Typed calls of the REST API. A refusal is thrown as a LoamError with the server's code; diagnostics are in `internal` as JSON. */
export type Client = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions) {
  const doFetch = options.fetch ?? fetch;

  async function raw(path: string, call: CallOptions = {}): Promise<Response> {
    const url = new URL(`${options.url}/api/v1${path}`, globalThis.location?.href);
    for (const [key, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) url.searchParams.set(key, String(value));
    }
    const headers: Record<string, string> = { ...call.headers };
    if (options.token !== undefined) headers['authorization'] = `Bearer ${options.token}`;
    const isBytes = call.body instanceof Uint8Array || call.body instanceof ReadableStream;
    if (call.body !== undefined) headers['content-type'] ??= isBytes ? 'application/octet-stream' : 'application/json';
    let response: Response;
    try {
      response = await doFetch(url, {
        method: call.method ?? 'GET',
        headers,
        ...(call.body === undefined ? {} : { body: isBytes ? (call.body as BodyInit) : JSON.stringify(call.body) }),
        ...(call.body instanceof ReadableStream ? { duplex: 'half' } : {}),
        ...(call.signal ? { signal: call.signal } : {}),
      } as RequestInit);
    } catch (cause) {
      if (call.signal?.aborted) throw LoamError.of('general.cancelled', {}, { cause });
      throw LoamError.of('cli.api-unreachable', { url: options.url || url.origin }, { cause });
    }
    if (response.ok) return response;
    throw await refusal(response);
  }

  async function json<T>(path: string, call?: CallOptions): Promise<T> {
    const response = await raw(path, call);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  return {
    me: () => json<Me>('/me'),
    checkSpec: (spec: string) => json<CheckedSpec>('/specs/check', { method: 'POST', body: { spec } }),
    plan: (body: PlanRequest, signal?: AbortSignal) =>
      json<Plan>('/plans', { method: 'POST', body, ...(signal ? { signal } : {}) }),
    submit: (body: SubmitBuild, idempotencyKey?: string) =>
      json<Build>('/builds', {
        method: 'POST',
        body,
        ...(idempotencyKey ? { headers: { 'idempotency-key': idempotencyKey } } : {}),
      }),
    builds: (query: ListBuildsQuery = {}) => json<PageOf<BuildSummary>>('/builds', { query }),
    build: (id: string) => json<Build>(`/builds/${encodeURIComponent(id)}`),
    cancelBuild: (id: string) => json<Build>(`/builds/${encodeURIComponent(id)}/cancel`, { method: 'POST' }),
    retryBuild: (id: string) => json<Build>(`/builds/${encodeURIComponent(id)}/retry`, { method: 'POST' }),
    /** Bytes `[from, to)` of a log; to its present end without `to`. */
    log: async (logId: string, from = 0, to?: number): Promise<Uint8Array> => {
      const response = await raw(`/logs/${encodeURIComponent(logId)}`, { query: { from, to } });
      return new Uint8Array(await response.arrayBuffer());
    },
    putContext: (manifest: ContextManifest) => json<ContextReceipt>('/contexts', { method: 'POST', body: manifest }),
    putBlob: (digest: string, body: Uint8Array | ReadableStream<Uint8Array>, sizeBytes: number) =>
      json<void>(`/blobs/${digest}`, { method: 'PUT', body, headers: { 'x-content-length': String(sizeBytes) } }),
    /** Small blobs, many at once: see `batchedBlobBytesMax` and `blobBatchBytesMax`. */
    putBlobs: (blobs: readonly { readonly digest: string; readonly bytes: Uint8Array }[]) =>
      json<void>('/blobs', { method: 'POST', body: frameBlobs(blobs) }),
    cacheGraph: (query: { limit?: number; search?: string } = {}) => json<CacheGraph>('/cache', { query }),
    cacheNode: (id: string) => json<CacheNodeDetail>(`/cache/${id}`),
    deleteCacheNode: (id: string, dryRun: boolean) =>
      json<CacheDeletion>(`/cache/${id}`, { method: 'DELETE', query: { dryRun } }),
    agents: () => json<{ items: Agent[] }>('/agents'),
    agent: (id: string) => json<Agent>(`/agents/${encodeURIComponent(id)}`),
    agentDoctor: (id: string) => json<AgentDoctor>(`/agents/${encodeURIComponent(id)}/doctor`),
    requestAgentDoctor: (id: string) =>
      json<DoctorRequested>(`/agents/${encodeURIComponent(id)}/doctor`, { method: 'POST' }),
    /** With an agent's credential. */
    self: (signal?: AbortSignal) => json<AgentSelf>('/agent/self', signal ? { signal } : {}),
    updateAgent: (id: string, body: { draining?: boolean; slots?: number }) =>
      json<Agent>(`/agents/${encodeURIComponent(id)}`, { method: 'PATCH', body }),
    revokeAgent: (id: string) => json<Agent>(`/agents/${encodeURIComponent(id)}/revoke`, { method: 'POST' }),
    createEnrolmentToken: (body: CreateEnrolmentToken) =>
      json<EnrolmentToken>('/enrolment-tokens', { method: 'POST', body }),
    enrolmentToken: (id: string) => json<EnrolmentTokenState>(`/enrolment-tokens/${encodeURIComponent(id)}`),
    downloads: () => json<Downloads>('/downloads'),
    enrol: (body: { token: string; name: string; slots?: number }) =>
      json<EnrolledAgent>('/agent/enrol', { method: 'POST', body }),
    secrets: () => json<{ items: StoredSecret[] }>('/secrets'),
    putSecret: (name: string, value: string) =>
      json<StoredSecret>(`/secrets/${encodeURIComponent(name)}`, { method: 'PUT', body: { value } }),
    deleteSecret: (name: string) => json<void>(`/secrets/${encodeURIComponent(name)}`, { method: 'DELETE' }),
    /** For calls that have no method of their own yet: agents' fetches of attempts, blobs, secrets. */
    raw,
  };
}

function frameBlobs(blobs: readonly { readonly digest: string; readonly bytes: Uint8Array }[]): Uint8Array {
  const encoder = new TextEncoder();
  const parts = blobs.flatMap(({ digest, bytes }) => [encoder.encode(blobFrame(digest, bytes.length)), bytes]);
  const body = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}

async function refusal(response: Response): Promise<LoamError> {
  const text = await response.text();
  try {
    const problem = JSON.parse(text) as Partial<Problem>;
    if (typeof problem.code === 'string' && typeof problem.detail === 'string') {
      const error = LoamError.fromPublic({ code: problem.code, message: problem.detail });
      return problem.diagnostics === undefined ? error : Object.assign(error, { diagnostics: problem.diagnostics });
    }
  } catch (cause) {
    return LoamError.of('cli.api-answer', { status: response.status }, { cause, internal: text.slice(0, 1000) });
  }
  return LoamError.of('cli.api-answer', { status: response.status }, { internal: text.slice(0, 1000) });
}
