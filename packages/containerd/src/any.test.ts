import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { anyJson, anyOf, anyRuntimeOptions, unpack, unpackJson } from './any.ts';
import { TaskExitSchema, TaskOOMSchema } from './gen/events/events_pb.ts';
import { OptionsSchema as Runc } from './gen/runtimes/runc_pb.ts';
import { Options_SandboxIsolation, OptionsSchema as Runhcs } from './gen/runtimes/runhcs_pb.ts';
import type { Any } from '@bufbuild/protobuf/wkt';

describe('a packed message', () => {
  it('has the bare name of its type, because containerd compares it as a string', () => {
    expect(anyRuntimeOptions({ kind: 'runc' }).typeUrl).toBe('containerd.runc.v1.Options');
    expect(anyRuntimeOptions({ kind: 'runhcs' }).typeUrl).toBe('containerd.runhcs.v1.Options');
    expect(anyOf(TaskExitSchema, {}).typeUrl).toBe('containerd.events.TaskExit');
    const prefix = 'types.containerd.io/opencontainers/runtime-spec/1';
    expect(anyJson('spec', {}).typeUrl).toBe(`${prefix}/Spec`);
    expect(anyJson('process', {}).typeUrl).toBe(`${prefix}/Process`);
    expect(anyJson('linuxResources', {}).typeUrl).toBe(`${prefix}/LinuxResources`);
    expect(anyJson('windowsResources', {}).typeUrl).toBe(`${prefix}/WindowsResources`);
  });

  it('is read only as what it is', () => {
    const packed = anyOf(TaskOOMSchema, { containerId: 'c' }) as unknown as Any;
    expect(unpack(packed, TaskOOMSchema)?.containerId).toBe('c');
    expect(unpack(packed, TaskExitSchema)).toBeUndefined();
    expect(unpack(undefined, TaskExitSchema)).toBeUndefined();
  });

  it('of JSON holds the document as it was given', () => {
    const document = { ociVersion: '1.0.2', annotations: { key: 'ümläut' } };
    expect(unpackJson(anyJson('spec', document) as unknown as Any)).toEqual(document);
  });
});

describe('runtime options', () => {
  it('reach runc under its names', () => {
    const { value } = anyRuntimeOptions({ kind: 'runc', root: '/r', systemdCgroup: true });
    expect(fromBinary(Runc, value)).toMatchObject({ root: '/r', systemdCgroup: true, noPivotRoot: false });
  });

  it('reach runhcs under its names', () => {
    const { value } = anyRuntimeOptions({
      kind: 'runhcs',
      logLevel: 'info',
      ioRetryTimeoutSec: 30,
      scrubLogs: true,
      sandboxIsolation: 'hypervisor',
      vmMemorySizeMb: 2048,
    });
    expect(fromBinary(Runhcs, value)).toMatchObject({
      logLevel: 'info',
      ioRetryTimeoutInSec: 30,
      scrubLogs: true,
      sandboxIsolation: Options_SandboxIsolation.HYPERVISOR,
      vmMemorySizeInMb: 2048,
    });
  });
});
