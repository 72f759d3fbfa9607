import { chmod, chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';

import { run, type Account } from './server-process.ts';

/** Makes a data directory, under another name first, so that a crash leaves all of it or nothing. What is there is removed. */
export async function makeDataDirectory(options: {
  directory: string;
  /** Path of the program. */
  initdb: string;
  account: Account | undefined;
  /** The superuser of the database. */
  user: string;
  password: string;
  /** More of initdb's options. */
  flags?: readonly string[];
}): Promise<void> {
  const { directory, initdb, account, user, password, flags = [] } = options;
  const draft = `${directory}.new`;
  const passwordFile = `${directory}.password`;
  await rm(directory, { recursive: true, force: true });
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account !== undefined) {
    await chown(draft, account.uid, account.gid);
    await chown(passwordFile, account.uid, account.gid);
  }
  try {
    await chmod(initdb, 0o755);
    const given = [`--pgdata=${draft}`, `--username=${user}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
    await run(initdb, [...given, '--encoding=UTF8', '--locale=C', ...flags], account);
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(draft, directory);
}
