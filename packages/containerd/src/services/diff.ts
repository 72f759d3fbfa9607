import { Diff } from '../gen/services/diff_pb.ts';
import { deadlines } from '../rpc/deadlines.ts';
import type { CallOptions, Rpc } from '../rpc/rpc.ts';
import { fromDescriptor, fromMounts, toDescriptor, type Descriptor, type Labels, type Mount } from '../values.ts';

/** Layers to directories and back, done inside containerd. */
export interface DiffApi {
  /**
   * Unpacks a layer that is in the content store onto `mounts`. The digest of what it gives is that of the
   * uncompressed tar: the layer's diff id.
   */
  apply(layer: Descriptor, mounts: readonly Mount[], options?: CallOptions): Promise<Descriptor>;
  /** Makes a layer of what `right` has changed since `left`, and puts it into the content store: name a lease. */
  diff(
    request: { left: readonly Mount[]; right: readonly Mount[]; mediaType?: string; ref?: string; labels?: Labels },
    options?: CallOptions,
  ): Promise<Descriptor>;
}

export function diffApi(rpc: Rpc): DiffApi {
  return {
    async apply(layer, mounts, options) {
      const request = { diff: fromDescriptor(layer), mounts: fromMounts(mounts) };
      return toDescriptor((await rpc.unary(Diff.method.apply, request, options, deadlines.bulk)).applied);
    },
    async diff({ left, right, mediaType = '', ref = '', labels = {} }, options) {
      const request = { left: fromMounts(left), right: fromMounts(right), mediaType, ref, labels };
      return toDescriptor((await rpc.unary(Diff.method.diff, request, options, deadlines.bulk)).diff);
    },
  };
}
