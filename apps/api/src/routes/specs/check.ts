import { CheckedSpec, CheckSpec } from '@loam/contracts';
import { checkSpec } from '@loam/spec';

import type { Route } from '../app.ts';

export const checkSpecRoute: Route = (app) => {
  app.post(
    '/api/v1/specs/check',
    {
      schema: {
        tags: ['specs'],
        summary: 'Check a spec',
        description: 'Always answers 200: what is wrong with the spec is in `diagnostics`, all of it, with places.',
        body: CheckSpec,
        response: { 200: CheckedSpec },
      },
    },
    async ({ body }) => {
      const { spec, diagnostics } = checkSpec(body.spec);
      return { ok: spec !== undefined, diagnostics: [...diagnostics] };
    },
  );
};
