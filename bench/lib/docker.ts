import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { execute, measure, type Measurement } from './measure.ts';

/** `docker build` of as many trivial RUN steps, cold and warm, when a daemon answers; undefined when none does. */
export async function measureDocker(work: string, steps: number, runs: number): Promise<Measurement[] | undefined> {
  try {
    await execute('docker', ['info']);
  } catch {
    return undefined;
  }
  const folder = path.join(work, 'docker');
  mkdirSync(folder, { recursive: true });
  copyFileSync('/bin/busybox', path.join(folder, 'busybox'));
  const write = (salt: string): void => {
    const lines = Array.from({ length: steps }, (_, index) => `RUN : ${salt} ${index}`);
    writeFileSync(path.join(folder, 'Dockerfile'), ['FROM scratch', 'COPY busybox /bin/sh', ...lines, ''].join('\n'));
  };
  const build = async (): Promise<void> => {
    await execute('docker', ['build', '--quiet', folder], { DOCKER_BUILDKIT: '1' });
  };
  const per = { count: steps, unit: 'step' };
  write('warm-up');
  await build();
  const cold = await measure(`docker build: ${steps} RUN steps, cold`, runs, build, {
    per,
    before: async (run) => write(`${process.pid}-${run}`),
  });
  const warm = await measure(`docker build: ${steps} RUN steps, warm`, runs, build, { per });
  return [cold, warm];
}
