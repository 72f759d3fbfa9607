import { isLoamError } from '@loam/base';
import { Images, type Image as ImageMessage } from '../gen/services/images_pb.ts';
import { deadlines } from '../rpc/deadlines.ts';
import type { CallOptions, Rpc } from '../rpc/rpc.ts';
import { fromDescriptor, toDate, toDescriptor, type Descriptor, type Labels } from '../values.ts';

export interface Image {
  readonly name: string;
  readonly target: Descriptor;
  readonly labels: Labels;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Names for content. An image record keeps its target, and all that the target refers to, from being collected. */
export interface ImagesApi {
  get(name: string, options?: CallOptions): Promise<Image>;
  list(filters?: readonly string[], options?: CallOptions): Promise<Image[]>;
  /** Creates the record, or points the one that is there to `target` and replaces its labels. */
  put(image: { name: string; target: Descriptor; labels?: Labels }, options?: CallOptions): Promise<Image>;
  /** With `sync` the garbage has been collected when this resolves. */
  delete(name: string, options?: CallOptions & { readonly sync?: boolean }): Promise<void>;
}

export function imagesApi(rpc: Rpc): ImagesApi {
  return {
    async get(name, options) {
      const { image } = await rpc.unary(Images.method.get, { name }, options, deadlines.metadata);
      return toImage(image);
    },
    async list(filters = [], options) {
      const { images } = await rpc.unary(Images.method.list, { filters: [...filters] }, options, deadlines.metadata);
      return images.map(toImage);
    },
    async put({ name, target, labels }, options) {
      const image = { name, labels: { ...labels }, target: fromDescriptor(target) };
      try {
        return toImage((await rpc.unary(Images.method.create, { image }, options, deadlines.metadata)).image);
      } catch (error) {
        if (!isLoamError(error, 'containerd.already-exists')) throw error;
      }
      const request = { image, updateMask: { paths: ['target', 'labels'] } };
      return toImage((await rpc.unary(Images.method.update, request, options, deadlines.metadata)).image);
    },
    async delete(name, options) {
      const sync = options?.sync ?? false;
      await rpc.unary(Images.method.delete, { name, sync }, options, sync ? deadlines.collect : deadlines.metadata);
    },
  };
}

function toImage(image: ImageMessage | undefined): Image {
  return {
    name: image?.name ?? '',
    target: toDescriptor(image?.target),
    labels: { ...image?.labels },
    createdAt: toDate(image?.createdAt),
    updatedAt: toDate(image?.updatedAt),
  };
}
