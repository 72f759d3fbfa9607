import { fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { runhcsProto, type tasksProto } from '@loam/containerd/proto';
import type { Clock } from '@loam/base';

import { fail } from '../grpc-codes.ts';
import type { Program } from '../programs/program.ts';
import type { ContainerRecord } from '../state.ts';
import { parentsOf, type LayerDirectory } from '../storage/layer-directory.ts';
import { onlyLayer } from '../storage/layer-mount.ts';
import type { WindowsSnapshotter } from '../storage/windows-snapshotter.ts';
import { ContainerView } from './container-view.ts';
import { buildFile, canShareKernel, type HostFacts } from './host.ts';
import { ModelProcess, type ProcessIo, type ProcessPlace } from './model-process.ts';
import { dialPipe, OutputRelay, type PipePaths } from './pipe-relay.ts';
import { checkSpec, type WindowsSpec } from './spec-check.ts';

export interface ShimFacts {
  readonly clock: Clock;
  readonly host: HostFacts;
  readonly program: Program;
  readonly presentPrograms: readonly string[];
  readonly snapshotter: WindowsSnapshotter;
  /** Whether rootfs and layerFolders exclude each other: shim 0.12, containerd 2.0 (reference §4.2). */
  readonly exclusiveRootfs: boolean;
}

export const specUrl = 'types.containerd.io/opencontainers/runtime-spec/1/Spec';
export const processUrl = 'types.containerd.io/opencontainers/runtime-spec/1/Process';

/** A JSON document from an Any, whose url must be the bare name (reference §1.3). */
export function jsonOf<T>(any: { typeUrl: string; value: Uint8Array } | undefined, url: string): T {
  if (any?.typeUrl !== url) {
    throw fail.invalid(`can't unmarshal type ${JSON.stringify(any?.typeUrl ?? '')} to output ${JSON.stringify(url)}`);
  }
  return JSON.parse(new TextDecoder().decode(any.value)) as T;
}

/** How long a broken pipe is dialled again; 0 is for ever (reference §4.5, §5.1). */
export function ioRetryMs({ runtime }: ContainerRecord): number {
  const { options } = runtime ?? {};
  if (!options || options.value.length === 0) return 0;
  const { typeName } = runhcsProto.OptionsSchema;
  if (options.typeUrl !== typeName) {
    throw fail.invalid(`can't unmarshal type ${JSON.stringify(options.typeUrl)} to output ${JSON.stringify(typeName)}`);
  }
  return fromBinary(runhcsProto.OptionsSchema, options.value).ioRetryTimeoutInSec * 1000;
}

export interface CreatedContainer {
  readonly init: ModelProcess;
  readonly place: ProcessPlace;
  readonly directories: LayerDirectory[];
  readonly layerFolders: string[];
}

/** What the shim does at `Tasks.Create`: checks, mounts the layers, makes the compute system, dials the pipes (§4.7). */
export async function createContainer(
  shim: ShimFacts,
  container: ContainerRecord,
  request: MessageShape<typeof tasksProto.CreateTaskRequestSchema>,
  pid: number,
): Promise<CreatedContainer> {
  const spec = jsonOf<WindowsSpec>(container.spec, specUrl);
  const retryMs = ioRetryMs(container);
  checkSpec(spec, shim.host);
  const { directories, layerFolders } = layers(shim, spec, request.rootfs);
  const [scratch] = directories;
  if (!scratch) throw fail.unknown('hcs::CreateComputeSystem: The system cannot find the path specified.');
  if (scratch.attachedBy !== undefined) {
    throw fail.unknown(
      `failed to mount layers: hcsshim::PrepareLayer ${scratch.source}: The parameter is incorrect. (0x57): attached by ${scratch.attachedBy}`,
    );
  }
  const tree = shim.snapshotter.runTree(scratch);
  checkImage(spec, shim.host, scratch, tree.readFile(buildFile));
  scratch.attachedBy = container.id;
  try {
    const { network, resources } = spec.windows ?? {};
    const place: ProcessPlace = {
      view: new ContainerView(tree, spec.mounts ?? []),
      hostname: spec.hostname ?? '',
      hasNetwork: network !== undefined,
      memoryLimitBytes: resources?.memory?.limit,
      clock: shim.clock,
      program: shim.program,
      presentPrograms: shim.presentPrograms,
    };
    const io = await openIo(request, request.terminal, shim.clock, retryMs);
    const init = new ModelProcess(container.id, pid, spec.process ?? {}, place, io);
    return { init, place, directories, layerFolders };
  } catch (error) {
    scratch.attachedBy = undefined;
    throw error;
  }
}

/** Exactly one of rootfs and layerFolders, or in 1.x their sum (reference §4.2). */
function layers(shim: ShimFacts, spec: WindowsSpec, rootfs: Parameters<typeof onlyLayer>[0]) {
  const bySource = shim.snapshotter.bySource.bind(shim.snapshotter);
  const given = [...(spec.windows?.layerFolders ?? [])];
  if (shim.exclusiveRootfs && rootfs.length > 0 && given.length > 0) {
    throw fail.invalid('cannot pass both a rootfs mount and Windows.LayerFolders');
  }
  if (rootfs.length === 0 && given.length < 2) {
    throw fail.invalid(
      shim.exclusiveRootfs || given.length === 0
        ? 'must pass either a rootfs mount or Windows.LayerFolders'
        : 'WCOW requires at least 2 layers with a scratch last',
    );
  }
  if (rootfs.length === 0) {
    const scratch = bySource(given.at(-1) ?? '');
    const parents = scratch ? parentsOf(scratch).map(({ source }) => source) : [];
    if (!scratch || parents.join('\0') !== given.slice(0, -1).join('\0')) {
      throw fail.unknown('hcsshim::PrepareLayer: The parameter is incorrect. (0x57)');
    }
    return { directories: [scratch], layerFolders: given };
  }
  if (rootfs[0]?.target) throw fail.invalid('a rootfs mount must have an empty target');
  const scratch = onlyLayer(rootfs, bySource);
  const own = [...parentsOf(scratch).map(({ source }) => source), scratch.source];
  return { directories: [scratch], layerFolders: [...given, ...own] };
}

function checkImage(spec: WindowsSpec, host: HostFacts, scratch: LayerDirectory, kernel: Uint8Array | undefined): void {
  const isHyperV = spec.windows?.hyperv !== undefined;
  if (isHyperV && !parentsOf(scratch).some(({ hasUtilityVm }) => hasUtilityVm)) {
    throw fail.unknown(
      'failed to locate UtilityVM folder in layer folders: The system cannot find the file specified.',
    );
  }
  const build = /^10\.0\.(\d+)/.exec(Buffer.from(kernel ?? '').toString())?.[1];
  if (build === undefined) return;
  const fits = isHyperV ? Number(build) <= host.build : canShareKernel(Number(build), host.build);
  if (!fits) {
    throw fail.unknown(
      'hcs::CreateComputeSystem: The container operating system does not match the host operating system. (0xc0370101)',
    );
  }
}

/** Dials the pipes that are named. A terminal has one output only (reference §4.3). */
export async function openIo(paths: PipePaths, terminal: boolean, clock: Clock, retryMs: number): Promise<ProcessIo> {
  const { stdin, stdout, stderr } = paths;
  if (terminal && stderr !== '') throw fail.precondition('if using terminal, stderr must be empty');
  const sockets: Awaited<ReturnType<typeof dialPipe>>[] = [];
  const dial = async (path: string) => {
    if (path === '') return undefined;
    const socket = await dialPipe(path);
    sockets.push(socket);
    return socket;
  };
  try {
    const input = await dial(stdin);
    const output = new OutputRelay(stdout, await dial(stdout), clock, retryMs);
    const errors = new OutputRelay(stderr, await dial(stderr), clock, retryMs);
    return { paths: { stdin, stdout, stderr }, stdin: input, stdout: output, stderr: errors };
  } catch (error) {
    for (const socket of sockets) socket.destroy();
    throw error;
  }
}
