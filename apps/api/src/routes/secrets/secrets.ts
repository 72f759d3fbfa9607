import { LoamError } from '@loam/base';
import { PutSecret, StoredSecret, textForms } from '@loam/contracts';
import { Type } from 'typebox';

import { actorOf } from '../../plugins/auth.ts';
import type { Route } from '../app.ts';
import { decodeSecret } from '../builds/submission.ts';

const Params = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 100, pattern: textForms.secretName.pattern }),
});

export const listSecrets: Route = (app, { services }) => {
  app.get(
    '/api/v1/secrets',
    {
      schema: {
        tags: ['secrets'],
        summary: 'Names of the secrets that the farm keeps',
        response: { 200: Type.Object({ items: Type.Array(StoredSecret) }) },
      },
    },
    async () => ({ items: await services.db.access.listSecrets() }),
  );
};

export const putSecret: Route = (app, { services }) => {
  app.put(
    '/api/v1/secrets/:name',
    {
      bodyLimit: 2 * 1024 * 1024,
      schema: {
        tags: ['secrets'],
        summary: 'Keep a secret, or replace it',
        description: 'Its value is encrypted and goes to agents of builds that name it, and nowhere else.',
        params: Params,
        body: PutSecret,
        response: { 200: StoredSecret },
      },
    },
    async (request) => {
      const { name } = request.params;
      const value = decodeSecret(name, request.body.value);
      const entry = services.access.audit(actorOf(request), 'secret.stored', name);
      return services.db.access.putSecret(name, services.sealer.seal(value, `secret ${name}`), entry);
    },
  );
};

export const deleteSecret: Route = (app, { services }) => {
  app.delete(
    '/api/v1/secrets/:name',
    { schema: { tags: ['secrets'], summary: 'Forget a secret', params: Params, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { name } = request.params;
      const entry = services.access.audit(actorOf(request), 'secret.deleted', name);
      if (!(await services.db.access.deleteSecret(name, entry))) throw LoamError.of('api.secret-unknown', { name });
      return reply.code(204).send(null);
    },
  );
};
