import { imagesProto } from '@loam/containerd/proto';

import { collectGarbage } from '../collector.ts';
import { parseFilters } from '../filters.ts';
import { fail } from '../grpc-codes.ts';
import type { Router } from '../router.ts';
import { storedLabels, updatedLabels, type ImageRecord, type ModelState } from '../state.ts';
import { timestamp } from '../timestamp.ts';

/** Image records: reference §1.7. */
export function serveImages(router: Router, state: ModelState): void {
  const { method } = imagesProto.Images;
  const toImage = ({ name, labels, target, createdAtMs, updatedAtMs }: ImageRecord) => ({
    name,
    labels,
    target,
    createdAt: timestamp(createdAtMs),
    updatedAt: timestamp(updatedAtMs),
  });
  const find = (namespace: string, name: string): ImageRecord => {
    const image = state.namespace(namespace).images.get(name);
    if (!image) throw fail.notFound(`image ${JSON.stringify(name)}`);
    return image;
  };

  router.unary(method.get, ({ name }, call) => ({ image: toImage(find(call.namespace, name)) }));
  router.unary(method.list, ({ filters }, call) => {
    const matches = parseFilters(filters);
    const images = [...state.namespace(call.namespace).images.values()];
    return { images: images.filter(({ name, labels }) => matches({ fields: { name }, labels })).map(toImage) };
  });
  router.unary(method.create, ({ image }, call) =>
    state.write(() => {
      const { images } = state.namespace(call.namespace);
      if (!image?.name || !image.target?.digest) throw fail.invalid('image name and target must not be empty');
      if (images.has(image.name)) throw fail.exists(`image ${JSON.stringify(image.name)}`);
      const nowMs = state.clock.now();
      const { name, target } = image;
      const made = { name, target, labels: storedLabels(image.labels), createdAtMs: nowMs, updatedAtMs: nowMs };
      images.set(name, made);
      return { image: toImage(made) };
    }),
  );
  router.unary(method.update, ({ image, updateMask }, call) =>
    state.write(() => {
      const old = find(call.namespace, image?.name ?? '');
      const paths = updateMask?.paths ?? ['labels', 'target'];
      old.labels = updatedLabels(old.labels, image?.labels ?? {}, paths);
      if (paths.includes('target') && image?.target) old.target = image.target;
      old.updatedAtMs = state.clock.now();
      return { image: toImage(old) };
    }),
  );
  router.unary(method.delete, ({ name, sync }, call) =>
    state.write(() => {
      find(call.namespace, name);
      state.namespace(call.namespace).images.delete(name);
      if (sync) collectGarbage(state);
      return {};
    }),
  );
}
