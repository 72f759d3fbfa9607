import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { execute } from './measure.ts';

export interface DockerBuilds {
  /** Says what the next build's steps are; a new `salt` makes them cold. */
  prepare(salt: string): void;
  build(): Promise<void>;
}

/** `docker build` (BuildKit) of as many trivial RUN steps, without network as Loam's; undefined when no daemon answers that can do it. */
export async function dockerBuilds(work: string, steps: number): Promise<DockerBuilds | undefined> {
  const folder = path.join(work, 'docker');
  mkdirSync(folder, { recursive: true });
  copyFileSync('/bin/busybox', path.join(folder, 'busybox'));
  const builds: DockerBuilds = {
    prepare(salt) {
      const lines = Array.from({ length: steps }, (_, index) => `RUN : ${salt} ${index}`);
      writeFileSync(path.join(folder, 'Dockerfile'), ['FROM scratch', 'COPY busybox /bin/sh', ...lines, ''].join('\n'));
    },
    async build() {
      await execute('docker', ['build', '--quiet', '--network', 'none', folder], { DOCKER_BUILDKIT: '1' });
    },
  };
  builds.prepare(`${process.pid}-warm-up`);
  return builds.build().then(
    () => builds,
    () => undefined,
  );
}
