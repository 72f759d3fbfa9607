import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';

import { checkOrigin, cookieOf, sessionCookie } from '../../plugins/auth.ts';
import type { Route, RouteContext } from '../app.ts';
import { isOverTls } from '../install/origin.ts';
import { guessLimit } from './guess-limit.ts';

const Session = Type.Object({ name: Type.String() });

export const openSession: Route = (app, { services, config }) => {
  app.post(
    '/api/v1/session',
    {
      config: { auth: 'nobody', ...guessLimit },
      schema: {
        tags: ['access'],
        summary: 'Log a browser in with an API token',
        security: [],
        body: Type.Object({ token: Type.String({ maxLength: 200 }) }, { additionalProperties: false }),
        response: { 200: Session },
      },
    },
    async (request, reply) => {
      // Without a cookie yet, but with the same danger: another site must not log its visitors in as somebody else.
      if (request.headers.origin !== undefined) checkOrigin(request);
      const { cookie, identity, maxAgeMs } = await services.access.logIn(request.body.token);
      setCookie(request, reply, config, { value: cookie, maxAgeMs });
      return { name: identity.name };
    },
  );
};

export const closeSession: Route = (app, { services, config }) => {
  app.delete(
    '/api/v1/session',
    {
      schema: { tags: ['access'], summary: 'Log the browser out', response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      const cookie = cookieOf(request);
      if (cookie !== undefined) await services.access.logOut(cookie);
      setCookie(request, reply, config, { value: '', maxAgeMs: 0 });
      return reply.code(204).send(null);
    },
  );
};

export function setCookie(
  request: FastifyRequest,
  reply: FastifyReply,
  config: RouteContext['config'],
  { value, maxAgeMs }: { value: string; maxAgeMs: number },
): void {
  const secure = isOverTls(request, config) ? '; Secure' : '';
  void reply.header(
    'set-cookie',
    `${sessionCookie}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${Math.floor(maxAgeMs / 1000)}${secure}`,
  );
}
