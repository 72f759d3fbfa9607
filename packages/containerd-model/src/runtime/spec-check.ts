import { statSync } from 'node:fs';

import { fail } from '../grpc-codes.ts';
import type { HostFacts } from './host.ts';

/** The parts of the OCI runtime specification that the shim looks at (reference §4.3). */
export interface WindowsSpec {
  readonly hostname?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly root?: { readonly path?: string; readonly readonly?: boolean };
  readonly process?: ProcessSpec;
  readonly mounts?: readonly SpecMount[];
  readonly linux?: unknown;
  readonly windows?: {
    readonly layerFolders?: readonly string[];
    readonly hyperv?: unknown;
    readonly network?: { readonly networkNamespace?: string; readonly endpointList?: readonly string[] };
    readonly resources?: {
      readonly cpu?: { readonly count?: number; readonly maximum?: number; readonly shares?: number };
      readonly memory?: { readonly limit?: number };
    };
  };
}

export interface ProcessSpec {
  readonly args?: readonly string[];
  readonly commandLine?: string;
  readonly cwd?: string;
  readonly env?: readonly string[];
  readonly user?: { readonly username?: string; readonly uid?: number };
  readonly terminal?: boolean;
}

export interface SpecMount {
  readonly source?: string;
  readonly destination?: string;
  readonly type?: string;
  readonly options?: readonly string[];
}

const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const volumePath = /^\\\\\?\\Volume\{[0-9a-f-]+\}\\?$/i;
/** What a panic of the shim looks like to the caller: its connection is gone. The trace is in `panic.log` (reference §4.5). */
const shimCrash = (what: string) => fail.unknown(`ttrpc: closed: shim exited: panic: ${what}`);

/**
 * What the shim refuses at `Tasks.Create`, or falls over. Stricter than the shim in one place: it crashes at every missing
 * `annotations`, where the shim does so only when an option is copied into them.
 */
export function checkSpec(spec: WindowsSpec, host: HostFacts): void {
  if (spec.windows === undefined || spec.windows === null) {
    throw shimCrash('runtime error: invalid memory address or nil pointer dereference');
  }
  if (spec.annotations === undefined || spec.annotations === null) throw shimCrash('assignment to entry in nil map');
  if (spec.linux !== undefined) throw fail.unknown('a spec for Windows containers cannot have a Linux section');
  if (spec.root?.readonly)
    throw fail.invalid('invalid container spec - readonly is not supported for Windows containers');
  const { hyperv, network, resources } = spec.windows;
  if (spec.root?.path && hyperv === undefined && !volumePath.test(spec.root.path)) {
    throw fail.invalid(`invalid container spec - Root.Path '${spec.root.path}' must be a volume GUID path`);
  }
  if (hyperv !== undefined && !host.hyperV) {
    throw fail.unknown(
      'hcs::CreateComputeSystem: The virtual machine could not be started because a required feature is not installed. (0x80370102)',
    );
  }
  for (const mount of spec.mounts ?? []) checkMount(mount, hyperv !== undefined);
  const given = Object.values(resources?.cpu ?? {}).filter((value) => value !== 0);
  if (given.length > 1) throw fail.invalid('invalid spec - cpu count, maximum and shares are mutually exclusive');
  const namespace = network?.networkNamespace;
  if (namespace !== undefined && namespace !== '') {
    if (!guid.test(namespace)) throw fail.unknown(`invalid GUID ${JSON.stringify(namespace)}`);
    if (host.hasNetworkNamespace?.(namespace) === false) {
      throw fail.unknown(`hcnOpenNamespace failed in Win32: Element not found. (0x490) ${namespace}`);
    }
  }
}

function checkMount({ source = '', destination = '', type = '' }: SpecMount, isHyperV: boolean): void {
  if (source === '' || destination === '') {
    throw fail.invalid('invalid OCI spec - a mount must have both source and a destination');
  }
  if (isHyperV && !['', 'physical-disk', 'virtual-disk', 'extensible-virtual-disk'].includes(type)) {
    throw fail.invalid(`invalid OCI spec - Type '${type}' not supported`);
  }
  if (!/^(?:[A-Za-z]:[\\/]|[\\/])/.test(destination)) {
    throw fail.invalid(`invalid OCI spec - mount destination '${destination}' is not absolute`);
  }
  if (source.startsWith('\\\\.\\pipe\\')) return;
  // The source is a path of the machine that the model runs on.
  if (statSync(source, { throwIfNoEntry: false }) === undefined) {
    throw fail.unknown(`failed to get mount source ${source}: The system cannot find the file specified.`);
  }
}
