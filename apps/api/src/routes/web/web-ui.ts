import { existsSync } from 'node:fs';
import { join } from 'node:path';

import fastifyStatic from '@fastify/static';

import { answer, pathOf } from '../../plugins/errors.ts';
import { LoamError } from '@loam/base';
import type { Route } from '../app.ts';
import { page, styleSource } from './page.ts';

/**
 * Everything comes from here and from nowhere else. Of style sheets within a page only that of our own few pages may
 * stand. Style attributes must be allowed: Chromium itself writes them when somebody types over a selection.
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  `style-src 'self' ${styleSource}`,
  "style-src-attr 'unsafe-inline'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** The built web UI; paths that are no files are its own, and get its page. */
export const webUi: Route = (app, { config }) => {
  app.addHook('onSend', async (_request, reply) => {
    void reply.headers({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
    });
    const type = String(reply.getHeader('content-type') ?? '');
    if (type.startsWith('text/html')) void reply.header('content-security-policy', contentSecurityPolicy);
  });

  const isBuilt = existsSync(join(config.webDirectory, 'index.html'));
  if (isBuilt) {
    void app.register(fastifyStatic, {
      root: config.webDirectory,
      cacheControl: false,
      setHeaders(reply, path) {
        // Built names carry a hash of what is in them.
        const isHashed = /[/\\]assets[/\\]/.test(path);
        void reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
    });
    // Pages that name no icon of their own, and what shows JSON or a log, make a browser ask for this one.
    app.get('/favicon.ico', { config: { auth: 'nobody' }, schema: { hide: true } }, async (_request, reply) =>
      reply.sendFile('icon.svg'),
    );
  } else {
    app.get('/', { config: { auth: 'nobody' }, schema: { hide: true } }, async (_request, reply) => {
      return reply
        .code(503)
        .type('text/html; charset=utf-8')
        .send(
          page({
            title: 'The web UI is not built',
            text: 'The API runs. `npm start` builds the web UI before it starts the farm; `npm run dev` serves it while you work on it. The API document is at /docs.',
          }),
        );
    });
  }

  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request);
    const wantsPage = request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
    if (isBuilt && wantsPage && !path.startsWith('/api/')) {
      return reply.header('cache-control', 'no-cache').sendFile('index.html');
    }
    return answer(LoamError.of('api.no-such-endpoint', { method: request.method, path }), request, reply);
  });
};
