export { startContainerd, type ContainerdServer } from './containerd-server.ts';
export { startPostgres, type PostgresServer, type TestDatabase } from './postgres.ts';
export { startRedis, type RedisServer } from './redis.ts';
