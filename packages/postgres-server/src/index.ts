export { makeDataDirectory } from './data-directory.ts';
export {
  findBinaries,
  freePort,
  isAlive,
  isPostgresOf,
  readPostmasterPid,
  serverAccount,
  spawnServer,
  type ServerProcess,
} from './server-process.ts';
