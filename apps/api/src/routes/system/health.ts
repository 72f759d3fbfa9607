import type { Route } from '../app.ts';

export const health: Route = (app, { services }) => {
  const open = { config: { auth: 'nobody' as const }, schema: { hide: true } };
  app.get('/healthz', open, async () => ({ status: 'ok' }));
  app.get('/readyz', open, async () => {
    await services.db.ping();
    return { status: 'ok' };
  });
};
