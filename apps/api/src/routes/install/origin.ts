import { LoamError } from '@loam/base';
import type { FastifyRequest } from 'fastify';

import type { RouteContext } from '../app.ts';

/**
 * The address under which a host will find this farm: the setting, else where this request came to. Its parts go into
 * scripts that run as root, so only what can be a host name passes. It is written as an agent will write it down, by which
 * a later run of a script knows the farm again. Throws `api.bad-host`.
 */
export function farmOrigin(request: FastifyRequest, config: Pick<RouteContext['config'], 'publicUrl'>): string {
  const origin = config.publicUrl ?? originOf(request);
  const isHost = /^https?:\/\/(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?$/.test(origin);
  const url = isHost ? URL.parse(origin) : null;
  if (url === null) throw LoamError.of('api.bad-host', {});
  return url.origin;
}

/** Whether a browser came over TLS, which a proxy in front of us ends. */
export function isOverTls(request: FastifyRequest, config: Pick<RouteContext['config'], 'publicUrl'>): boolean {
  return originOf(request).startsWith('https:') || config.publicUrl === `https://${request.headers.host}`;
}

/** Behind a proxy with TLS the page knows better than we do which scheme it was. */
function originOf(request: FastifyRequest): string {
  const { origin, host = '' } = request.headers;
  if (origin !== undefined && URL.parse(origin)?.host === host) return origin;
  const isForwardedTls = request.headers['x-forwarded-proto'] === 'https';
  return `${isForwardedTls ? 'https' : request.protocol}://${host}`;
}
