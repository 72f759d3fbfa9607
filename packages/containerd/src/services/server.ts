import { Introspection } from '../gen/services/introspection_pb.ts';
import { Version } from '../gen/services/version_pb.ts';
import { deadlines } from '../rpc/deadlines.ts';
import type { CallOptions, Rpc } from '../rpc/rpc.ts';

export interface ContainerdVersion {
  /** As in `1.6.20~ds1` or `v2.2.0`; distributions add suffixes. */
  readonly version: string;
  readonly revision: string;
}

export interface Plugin {
  /** As in `io.containerd.snapshotter.v1`. */
  readonly type: string;
  readonly id: string;
  readonly platforms: readonly { readonly os: string; readonly architecture: string; readonly variant: string }[];
  readonly exports: Readonly<Record<string, string>>;
  readonly capabilities: readonly string[];
  /** Why the plugin is there but unusable; undefined when it works. */
  readonly initError: string | undefined;
}

/** What the daemon tells about itself. Needs no namespace. */
export interface ServerApi {
  version(options?: CallOptions): Promise<ContainerdVersion>;
  /** The plugins that match any of the filters, as in `type==io.containerd.snapshotter.v1,id==overlayfs`. */
  plugins(filters?: readonly string[], options?: CallOptions): Promise<Plugin[]>;
  /** An id that stays the same as long as the daemon's root directory does. */
  serverId(options?: CallOptions): Promise<string>;
}

export function serverApi(rpc: Rpc): ServerApi {
  return {
    async version(options) {
      const { version, revision } = await rpc.unary(Version.method.version, {}, options, deadlines.version);
      return { version, revision };
    },
    async plugins(filters = [], options) {
      const request = { filters: [...filters] };
      const { plugins } = await rpc.unary(Introspection.method.plugins, request, options, deadlines.metadata);
      return plugins.map((plugin) => ({
        type: plugin.type,
        id: plugin.id,
        platforms: plugin.platforms.map(({ os, architecture, variant }) => ({ os, architecture, variant })),
        exports: { ...plugin.exports },
        capabilities: [...plugin.capabilities],
        initError: plugin.initErr?.message,
      }));
    },
    async serverId(options) {
      const { uuid } = await rpc.unary(Introspection.method.server, {}, options, deadlines.metadata);
      return uuid;
    },
  };
}
