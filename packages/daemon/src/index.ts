export { giveMemoryBackWhenIdle, type IdleMemoryOptions } from './idle-memory.ts';
