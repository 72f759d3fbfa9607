import { Me } from '@loam/contracts';

import { actorOf } from '../../plugins/auth.ts';
import { version } from '../../version.ts';
import type { Route } from '../app.ts';

export const me: Route = (app, { services }) => {
  app.get(
    '/api/v1/me',
    { schema: { tags: ['access'], summary: 'Who asks, and which farm answers', response: { 200: Me } } },
    async (request) => ({ name: actorOf(request), version, embedded: services.isAlone }),
  );
};
