import { createHash } from 'node:crypto';

import { diffProto } from '@loam/containerd/proto';

import { fail } from '../grpc-codes.ts';
import type { Router } from '../router.ts';
import { storedLabels, type ModelState } from '../state.ts';
import { applyLayer } from '../storage/apply-layer.ts';
import { diffLayer } from '../storage/diff-layer.ts';
import { parentTree } from '../storage/layer-directory.ts';
import { onlyLayer } from '../storage/layer-mount.ts';

/** The windows differ: reference §1.9, §3.4. */
export function serveDiff(router: Router, state: ModelState): void {
  const { method } = diffProto.Diff;
  const { snapshotter } = state;

  router.unary(method.apply, async ({ diff, mounts }, call) => {
    const blob = state.namespace(call.namespace).blobs.get(diff?.digest ?? '');
    if (!blob) throw fail.notFound(`content ${diff?.digest}`);
    const directory = onlyLayer(mounts, snapshotter.bySource.bind(snapshotter));
    if (directory.attachedBy !== undefined) {
      throw fail.unknown(
        `failed to mount ${directory.source}: hcsshim::PrepareLayer - failed failed in Win32: The parameter is incorrect. (0x57)`,
      );
    }
    const { digest, sizeBytes } = await applyLayer(blob.bytes, directory, snapshotter.applyTree(directory));
    return { applied: { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: BigInt(sizeBytes) } };
  });

  router.unary(method.diff, async ({ left, right, mediaType, labels }, call) => {
    const namespace = state.namespace(call.namespace);
    const upper = onlyLayer(right, snapshotter.bySource.bind(snapshotter));
    const lower = left.length === 0 ? undefined : onlyLayer(left, snapshotter.bySource.bind(snapshotter));
    // A view stands for the committed snapshot that it shows.
    const subject = upper.readonly ? (upper.parent ?? upper) : upper;
    if (lower?.parent !== subject.parent)
      throw fail.unknown('mismatched parent mounts: left must be the parent of right');
    const tree = subject.committed?.tree ?? subject.scratch ?? subject.applied;
    const made = await diffLayer(tree ?? parentTree(subject), parentTree(subject), mediaType);
    const digest = `sha256:${createHash('sha256').update(made.blob).digest('hex')}`;
    return state.write(() => {
      namespace.attach(call.lease, 'content', digest);
      const nowMs = state.clock.now();
      const stored = storedLabels({
        ...labels,
        ...(made.uncompressed === undefined ? {} : { 'containerd.io/uncompressed': made.uncompressed }),
      });
      const known = namespace.blobs.get(digest);
      if (known) known.labels = { ...known.labels, ...stored };
      else {
        namespace.blobs.set(digest, {
          digest,
          bytes: made.blob,
          labels: stored,
          createdAtMs: nowMs,
          updatedAtMs: nowMs,
        });
      }
      return { diff: { mediaType: made.mediaType, digest, size: BigInt(made.blob.length) } };
    });
  });
}
