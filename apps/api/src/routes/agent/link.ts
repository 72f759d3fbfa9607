import type { Route } from '../app.ts';

export const agentLink: Route = (app, { services }) => {
  app.get('/api/v1/agent/link', { websocket: true, config: { auth: 'agent' } }, (socket, request) => {
    if (request.agent !== null) services.gateway.attach(socket, request.agent);
  });
};
