import type { Plugin } from '@loam/containerd';

import { defineCheck, ok, problem, type Verdict } from '../check.ts';
import type { DoctorHost } from '../doctor-host.ts';

type PluginFacts = readonly Pick<Plugin, 'type' | 'id' | 'initError'>[];

const needed = {
  linux: [
    ['snapshotter', 'overlayfs'],
    ['differ', 'walking'],
  ],
  windows: [
    ['snapshotter', 'windows'],
    ['differ', 'windows'],
  ],
} as const;

/** A plugin with an initialisation error is there and unusable; the Windows one works on NTFS only (reference §1.4, §3.1). */
export const containerdSnapshotter = defineCheck<PluginFacts>({
  id: 'containerd.snapshotter',
  title: 'Snapshotter and differ',
  async gather(host) {
    const types = ['io.containerd.snapshotter.v1', 'io.containerd.differ.v1'];
    return (await host.containerd()).plugins(types.map((type) => `type==${type}`));
  },
  judge: (plugins, host) => judgePlugins(plugins, host.os),
});

export function judgePlugins(plugins: PluginFacts, os: DoctorHost['os']): Verdict {
  const complaints: string[] = [];
  let remedy = "Look into containerd's log, and take the plugin out of disabled_plugins in its config.toml.";
  for (const [type, id] of needed[os]) {
    const plugin = plugins.find((one) => one.type === `io.containerd.${type}.v1` && one.id === id);
    if (plugin === undefined) complaints.push(`there is no ${type} "${id}"`);
    else if (plugin.initError !== undefined) complaints.push(`the ${type} "${id}" says: ${plugin.initError}`);
    if (/only ntfs volumes are supported|not on an ntfs volume/i.test(plugin?.initError ?? '')) {
      remedy = "Move `root` in containerd's config.toml to a local NTFS volume; ReFS and Dev Drive will not do.";
    } else if (type === 'snapshotter' && os === 'linux' && plugin?.initError !== undefined) {
      remedy = "Keep containerd's root on a local file system that overlayfs can stand on (ext4, or xfs with ftype=1).";
    }
  }
  if (complaints.length > 0) return problem(`${complaints.join('; ')}.`, 'No snapshot can be made.', remedy);
  return ok(`${needed[os].map(([type, id]) => `${type} ${id}`).join(', ')}.`, 'Snapshots can be made.');
}
