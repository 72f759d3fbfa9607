import { systemClock } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import { loadImage } from './fetcher/image-content.ts';
import { ImageRecords } from './fetcher/image-records.ts';

/** For who looks at a host without building on it: the doctor. Nothing here changes what builds stand on. */

/** An image that builds of this agent have used. */
export interface UsedImage {
  readonly name: string;
  /** `linux/amd64`. */
  readonly platform: string;
  /** As in `10.0.20348.2700`; Windows images have one. */
  readonly osVersion: string | undefined;
}

/** The base images that an agent holds, as their configurations describe them. */
export async function usedImages(client: Containerd, agentId: string): Promise<UsedImage[]> {
  const records = await new ImageRecords(client, agentId, systemClock).list();
  const images = await Promise.all(
    records.map(async ({ name, target }): Promise<UsedImage | undefined> => {
      const image = await loadImage(client, name, target);
      if (image === undefined) return undefined;
      const { os, architecture, osVersion } = image.config.platform;
      return { name, platform: `${os}/${architecture}`, osVersion };
    }),
  );
  return images.filter((image) => image !== undefined);
}
