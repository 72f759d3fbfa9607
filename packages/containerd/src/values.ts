import type { Timestamp } from '@bufbuild/protobuf/wkt';
import type { Descriptor as DescriptorMessage, Mount as MountMessage } from './gen/types/types_pb.ts';

export type Labels = Readonly<Record<string, string>>;

/** A mount as a snapshotter gives it. Passed on as it is; its contents are the snapshotter's business. */
export interface Mount {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly options: readonly string[];
}

/** An OCI content descriptor. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Labels;
}

export function toDate(timestamp: Timestamp | undefined): Date {
  if (!timestamp) return new Date(0);
  return new Date(Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / 1e6));
}

export function toMounts(mounts: readonly MountMessage[]): Mount[] {
  return mounts.map(({ type, source, target, options }) => ({ type, source, target, options: [...options] }));
}

export function fromMounts(
  mounts: readonly Mount[],
): { type: string; source: string; target: string; options: string[] }[] {
  return mounts.map(({ type, source, target, options }) => ({ type, source, target, options: [...options] }));
}

export function toDescriptor(descriptor: DescriptorMessage | undefined): Descriptor {
  const { mediaType = '', digest = '', size = 0n, annotations = {} } = descriptor ?? {};
  return { mediaType, digest, size: Number(size), annotations: { ...annotations } };
}

export function fromDescriptor({ mediaType, digest, size, annotations }: Descriptor) {
  return { mediaType, digest, size: BigInt(size), annotations: { ...annotations } };
}

/** An update mask that sets the given labels (an empty value removes one) and leaves the others alone. */
export function labelMask(labels: Labels): { paths: string[] } {
  return { paths: Object.keys(labels).map((name) => `labels.${name}`) };
}
