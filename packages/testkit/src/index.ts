export { startContainerd, type ContainerdServer } from './containerd-server.ts';
export { startPostgres, type PostgresServer, type TestDatabase } from './postgres.ts';
export { startRedis, type RedisServer } from './redis.ts';
export { startRegistry, type PushedImage, type RegistryRequest, type TestRegistry } from './registry.ts';
