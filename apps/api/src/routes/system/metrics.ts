import { Counter, Gauge, Histogram, Registry } from 'prom-client';

import { newTally } from '../../plugins/services/tally.ts';
import type { Route } from '../app.ts';

/**
 * For Prometheus. Gauges are read when they are asked for, and the library's default metrics are left out: one of them
 * wakes the process a hundred times a second.
 */
export const metrics: Route = (app, { services }) => {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Histogram({
    name: 'loam_http_request_seconds',
    help: 'Time until a request was answered.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  });
  const builds = new Gauge({ name: 'loam_builds', help: 'Builds by state.', labelNames: ['state'], registers });
  const agents = new Gauge({ name: 'loam_agents', help: 'Agents by state.', labelNames: ['state'], registers });
  const waiting = new Gauge({
    name: 'loam_builds_waiting',
    help: 'Builds that wait for an agent, by pool.',
    labelNames: ['pool'],
    registers,
  });
  const lost = new Counter({
    name: 'loam_attempts_lost_total',
    help: 'Attempts that were taken from their agents, by this process.',
    registers,
  });
  const logBytes = new Counter({ name: 'loam_log_bytes_total', help: 'Bytes of logs stored, here.', registers });
  const viewers = new Gauge({ name: 'loam_viewers', help: 'Open websockets of viewers, here.', registers });
  const memory = new Gauge({ name: 'process_resident_memory_bytes', help: 'Resident memory.', registers });
  const cpu = new Counter({ name: 'process_cpu_seconds_total', help: 'User and system time.', registers });
  let countedCpuSeconds = 0;
  let counted = newTally();

  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    requests.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1000);
    done();
  });

  app.get('/metrics', { config: { auth: 'nobody' }, schema: { hide: true } }, async (_request, reply) => {
    builds.reset();
    for (const [state, count] of await services.db.builds.countByState()) builds.set({ state }, count);
    waiting.reset();
    for (const [pool, count] of await services.db.builds.countWaiting()) waiting.set({ pool }, count);
    lost.inc(services.tally.attemptsLost - counted.attemptsLost);
    logBytes.inc(services.tally.logBytes - counted.logBytes);
    counted = { ...services.tally };
    agents.reset();
    for (const agent of await services.views.agents()) agents.inc({ state: agent.state });
    viewers.set(services.live.size);
    memory.set(process.memoryUsage.rss());
    const { user, system } = process.cpuUsage();
    const cpuSeconds = (user + system) / 1e6;
    cpu.inc(cpuSeconds - countedCpuSeconds);
    countedCpuSeconds = cpuSeconds;
    return reply.type(registry.contentType).send(await registry.metrics());
  });
};
