import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import {
  Options_DebugType,
  Options_SandboxIsolation,
  OptionsSchema as RunhcsOptions,
} from './gen/runtimes/runhcs_pb.ts';
import { OptionsSchema as RuncOptions } from './gen/runtimes/runc_pb.ts';

/** The fields of google.protobuf.Any. */
export interface AnyValue {
  readonly typeUrl: string;
  readonly value: Uint8Array<ArrayBuffer>;
}

/** The names under which containerd knows the JSON types of the OCI runtime specification. */
const specTypeUrls = {
  spec: 'types.containerd.io/opencontainers/runtime-spec/1/Spec',
  process: 'types.containerd.io/opencontainers/runtime-spec/1/Process',
  linuxResources: 'types.containerd.io/opencontainers/runtime-spec/1/LinuxResources',
  windowsResources: 'types.containerd.io/opencontainers/runtime-spec/1/WindowsResources',
} as const;

/** Options of the runtime (`containerd.runc.v1.Options`, `containerd.runhcs.v1.Options`); what is left out is its default. */
export type RuntimeOptions = RuncRuntimeOptions | RunhcsRuntimeOptions;

export interface RuncRuntimeOptions {
  readonly kind: 'runc';
  /** runc's state directory, `/run/containerd/runc` unless given. */
  readonly root?: string;
  readonly binaryName?: string;
  /** With it `linux.cgroupsPath` reads `slice:prefix:name`. */
  readonly systemdCgroup?: boolean;
  readonly shimCgroup?: string;
  readonly noPivotRoot?: boolean;
  readonly noNewKeyring?: boolean;
}

export interface RunhcsRuntimeOptions {
  readonly kind: 'runhcs';
  readonly debug?: boolean;
  readonly debugType?: 'npipe' | 'file' | 'etw';
  readonly logLevel?: string;
  readonly sandboxIsolation?: 'process' | 'hypervisor';
  /** Seconds for which the shim dials a broken stdio pipe again; 0 is for ever. */
  readonly ioRetryTimeoutSec?: number;
  readonly scrubLogs?: boolean;
  readonly vmProcessorCount?: number;
  readonly vmMemorySizeMb?: number;
  readonly noInheritHostTimezone?: boolean;
}

/**
 * Packs a message under its bare name. containerd compares the url as a string with the name of the type that it
 * expects, so the usual `type.googleapis.com/` would be refused.
 */
export function anyOf<T extends DescMessage>(schema: T, message: MessageInitShape<T>): AnyValue {
  return { typeUrl: schema.typeName, value: new Uint8Array(toBinary(schema, create(schema, message))) };
}

/** Packs a JSON document of the OCI runtime specification. */
export function anyJson(kind: keyof typeof specTypeUrls, document: object): AnyValue {
  return { typeUrl: specTypeUrls[kind], value: new TextEncoder().encode(JSON.stringify(document)) };
}

/** The message inside when it is of that type. */
export function unpack<T extends DescMessage>(any: Any | undefined, schema: T): MessageShape<T> | undefined {
  return any?.typeUrl === schema.typeName ? fromBinary(schema, any.value) : undefined;
}

/** The JSON document inside, undefined when there is none. */
export function unpackJson(any: Any | undefined): unknown {
  return any === undefined || any.value.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(any.value));
}

const debugTypes = { npipe: Options_DebugType.NPIPE, file: Options_DebugType.FILE, etw: Options_DebugType.ETW };
const isolations = {
  process: Options_SandboxIsolation.PROCESS,
  hypervisor: Options_SandboxIsolation.HYPERVISOR,
};

export function anyRuntimeOptions(options: RuntimeOptions): AnyValue {
  if (options.kind === 'runc') {
    const { kind: _, ...fields } = options;
    return anyOf(RuncOptions, fields);
  }
  const { kind: _, debugType, sandboxIsolation, vmMemorySizeMb, ioRetryTimeoutSec, ...fields } = options;
  return anyOf(RunhcsOptions, {
    ...fields,
    ...(debugType && { debugType: debugTypes[debugType] }),
    ...(sandboxIsolation && { sandboxIsolation: isolations[sandboxIsolation] }),
    ...(ioRetryTimeoutSec !== undefined && { ioRetryTimeoutInSec: ioRetryTimeoutSec }),
    ...(vmMemorySizeMb !== undefined && { vmMemorySizeInMb: vmMemorySizeMb }),
  });
}
