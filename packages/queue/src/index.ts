export type { BuildAnswer, BuildConsumer, BuildHandler } from './build-consumer.ts';
export type { HousekeepingJob } from './catalogue.ts';
export type { HousekeepingTask, HousekeepingTasks } from './housekeeping.ts';
export type { QueueLogger } from './logger.ts';
export { openQueue, type BuildJob, type LoamQueue, type QueueOptions } from './queue.ts';
export type { Relay } from './relay.ts';
