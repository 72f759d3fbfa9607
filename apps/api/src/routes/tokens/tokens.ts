import { LoamError } from '@loam/base';
import { ApiToken } from '@loam/contracts';
import { Type } from 'typebox';

import { actorOf } from '../../plugins/auth.ts';
import { IdParams, type Route } from '../app.ts';

const NewToken = Type.Object({
  id: Type.String(),
  name: Type.String(),
  token: Type.String(),
  createdAt: Type.Integer(),
});

export const listTokens: Route = (app, { services }) => {
  app.get(
    '/api/v1/tokens',
    {
      schema: {
        tags: ['access'],
        summary: 'List API tokens',
        response: { 200: Type.Object({ items: Type.Array(ApiToken) }) },
      },
    },
    async () => ({
      items: (await services.db.access.tokens()).map(({ id, name, createdAt, lastUsedAt }) => ({
        id,
        name,
        createdAt,
        lastUsedAt,
      })),
    }),
  );
};

export const createToken: Route = (app, { services }) => {
  app.post(
    '/api/v1/tokens',
    {
      schema: {
        tags: ['access'],
        summary: 'Make an API token',
        description: 'It is shown once.',
        body: Type.Object({ name: Type.String({ minLength: 1, maxLength: 100 }) }, { additionalProperties: false }),
        response: { 201: NewToken },
      },
    },
    async (request, reply) => {
      const { name } = request.body;
      const created = await services.access.createToken(name, actorOf(request));
      return reply.code(201).send({ name, ...created });
    },
  );
};

export const revokeToken: Route = (app, { services }) => {
  app.delete(
    '/api/v1/tokens/:id',
    {
      schema: {
        tags: ['access'],
        summary: 'Revoke an API token, and the sessions that were opened with it',
        params: IdParams,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const entry = services.access.audit(actorOf(request), 'token.revoked', id);
      if (!(await services.db.access.revokeToken(id, entry))) throw LoamError.of('api.token-unknown', { id });
      return reply.code(204).send(null);
    },
  );
};
