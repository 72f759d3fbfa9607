import { describeHost, isolationFor, usedImages, type IsolationPolicy, type UsedImage } from '@loam/backend-containerd';

import { defineCheck, ok, skipped, warning, type Verdict } from '../check.ts';
import { list } from './leaks.ts';

export interface ImageFacts {
  /** As in `10.0.20348`. */
  readonly hostVersion: string;
  readonly policy: IsolationPolicy;
  readonly images: readonly UsedImage[];
}

/** Images that were fetched fitted the host then; after an upgrade of the host they may not any more (reference §7.3, §10 #1, #31). */
export const imageBuilds = defineCheck<ImageFacts>({
  id: 'images.host-build',
  title: 'Base images and the build of the host',
  only: 'windows',
  async gather(host) {
    const { identity, osVersion, windows } = host;
    const images = identity === undefined ? [] : await usedImages(await host.containerd(), identity);
    return { hostVersion: osVersion, policy: windows.isolation ?? 'process', images };
  },
  judge: judgeImages,
});

export function judgeImages({ hostVersion, policy, images }: ImageFacts): Verdict {
  const host = describeHost(hostVersion, policy);
  const windows = images.filter(({ platform }) => platform.startsWith('windows/'));
  if (windows.length === 0) return skipped(`${host}; no base image was used yet.`, 'There is nothing to compare.');
  const misfits = windows.filter(({ osVersion }) => isolationFor(osVersion, hostVersion, policy) === undefined);
  const named = misfits.map(({ name, osVersion }) => `${name} (${osVersion ?? 'no version'})`);
  if (misfits.length > 0) {
    return warning(
      `${host}. These base images are for another: ${list(named)}.`,
      'Builds on them are refused, or their containers do not start (0xc0370101).',
      'Use the tags named here in (from …), a pool that allows Hyper-V isolation, or build with --refresh to look the tags up again.',
    );
  }
  return ok(`${host}; ${windows.length} base images fit it.`, 'Their containers can start.');
}
