import type { Route } from '../app.ts';

export const live: Route = (app, { services }) => {
  app.get('/api/v1/live', { websocket: true, config: { auth: 'user' } }, (socket) => services.live.attach(socket));
};
