import { isLoamError } from '@loam/base';
import { Type } from 'typebox';

import { actorOf, cookieOf } from '../../plugins/auth.ts';
import type { Route } from '../app.ts';
import { page } from '../web/page.ts';
import { guessLimit } from './guess-limit.ts';
import { setCookie } from './session.ts';

export const createLoginLink: Route = (app, { services }) => {
  app.post(
    '/api/v1/login-links',
    {
      schema: {
        tags: ['access'],
        summary: 'Make an address that logs one browser in, once',
        response: { 201: Type.Object({ path: Type.String(), expiresAt: Type.Integer() }) },
      },
    },
    async (request, reply) => {
      const { code, expiresAt } = await services.access.createLoginCode(actorOf(request));
      return reply.code(201).send({ path: `/login?code=${code}`, expiresAt });
    },
  );
};

/**
 * Where a login link leads. It answers with a page that goes on by itself, not with a redirect: a strict cookie is not
 * sent on a redirect that a link on another site began.
 */
export const followLoginLink: Route = (app, { services, config }) => {
  app.get(
    '/login',
    {
      config: { auth: 'nobody', ...guessLimit },
      schema: { hide: true, querystring: Type.Object({ code: Type.Optional(Type.String({ maxLength: 200 })) }) },
    },
    async (request, reply) => {
      if (request.query.code === undefined) return reply.redirect('/log-in');
      void reply.type('text/html; charset=utf-8').header('cache-control', 'no-store');
      try {
        const { cookie, maxAgeMs } = await services.access.logInByCode(request.query.code);
        setCookie(request, reply, config, { value: cookie, maxAgeMs });
        return reply.send(page({ title: 'Logged in', text: 'Going on to Loam …', goTo: '/' }));
      } catch (error) {
        if (!isLoamError(error, 'api.bad-login-code')) throw error;
        // Opened a second time in a browser that the first time logged in.
        const cookie = cookieOf(request);
        const known =
          cookie === undefined ? undefined : await services.access.identify({ cookie }).catch(() => undefined);
        if (known !== undefined) return reply.send(page({ title: 'Logged in', text: 'Going on to Loam …', goTo: '/' }));
        return reply
          .code(error.status)
          .send(page({ title: error.message, text: error.remedy, body: '<p><a href="/log-in">Log in</a></p>' }));
      }
    },
  );
};
