import { fail } from '../grpc-codes.ts';
import { parentsOf, type LayerDirectory } from './layer-directory.ts';

interface Mount {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly options: readonly string[];
}

/** The one `windows-layer` mount that the differ and the shim want, with the parents that it really has. */
export function onlyLayer(
  mounts: readonly Mount[],
  bySource: (source: string) => LayerDirectory | undefined,
): LayerDirectory {
  const [mount] = mounts;
  if (mounts.length !== 1 || !mount) throw fail.invalid(`number of mounts should always be 1 for Windows layers`);
  if (mount.type !== 'windows-layer') throw fail.unknown(`invalid windows mount type: '${mount.type}'`);
  const directory = bySource(mount.source);
  if (!directory) throw fail.unknown(`${mount.source}: The system cannot find the path specified.`);
  const given = mount.options.find((option) => option.startsWith('parentLayerPaths='));
  const parents = given === undefined ? [] : (JSON.parse(given.slice('parentLayerPaths='.length)) as string[]);
  const real = parentsOf(directory).map(({ source }) => source);
  if (parents.join('\0') !== real.join('\0')) {
    throw fail.unknown(`hcsshim::PrepareLayer ${mount.source}: The parameter is incorrect. (0x57)`);
  }
  return directory;
}
