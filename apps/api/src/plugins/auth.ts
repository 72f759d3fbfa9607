import { LoamError } from '@loam/base';
import type { AgentRow, Identity } from '@loam/db';
import type { FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';

import type { Access } from './services/access.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on routes for users. */
    user: Identity | null;
    /** Set on routes for agents. */
    agent: AgentRow | null;
  }
  interface FastifyContextConfig {
    /** Who may call: users unless told. */
    auth?: 'user' | 'agent' | 'nobody';
  }
}

export const sessionCookie = 'loam_session';

/**
 * Says who calls before anything is read of the request. A browser's cookie counts only for requests that come from the
 * farm's own pages: other sites can make a browser send requests, but neither with a bearer token nor with our origin.
 */
export const auth = fastifyPlugin<{ access: Access }>((app, { access }, done) => {
  app.decorateRequest('user', null);
  app.decorateRequest('agent', null);
  app.addHook('onRequest', async (request) => {
    const kind = request.routeOptions.config.auth ?? (request.url.startsWith('/api/') ? 'user' : 'nobody');
    // Unknown paths are answered as such, by the handler of what is not found.
    if (kind === 'nobody' || request.is404) return;
    const bearer = bearerOf(request);
    if (kind === 'agent') {
      request.agent = await access.identifyAgent(bearer);
      return;
    }
    const cookie = bearer === undefined ? cookieOf(request) : undefined;
    request.user = await access.identify({ bearer, cookie });
    if (cookie !== undefined) checkOrigin(request);
  });
  done();
});

/** The name that audit rows and builds carry. */
export function actorOf(request: FastifyRequest): string {
  return request.user?.name ?? request.agent?.name ?? 'nobody';
}

export function cookieOf(request: FastifyRequest): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = part.trim().split('=', 2);
    if (name === sessionCookie && value) return value;
  }
  return undefined;
}

/** Throws `api.foreign-origin` when a request that changes something, or opens a socket, comes from a page that is not ours. */
export function checkOrigin(request: FastifyRequest): void {
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  if (isReading && request.headers.upgrade === undefined) return;
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (origin === undefined ? site === 'same-origin' : URL.parse(origin)?.host === host) return;
  throw LoamError.of('api.foreign-origin', {});
}

function bearerOf(request: FastifyRequest): string | undefined {
  return /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
}
