import { LoamError } from '@loam/base';

import { HcnFailure, type HcnApi, type HcnKind } from './hcn-api.ts';

export interface HcnLibraries {
  readonly network: string;
  /** Has CoTaskMemFree. */
  readonly memory: string;
}

const windowsLibraries: HcnLibraries = { network: 'computenetwork.dll', memory: 'ole32.dll' };
const names: Record<HcnKind, string> = { network: 'Network', endpoint: 'Endpoint', namespace: 'Namespace' };
const queryAll = JSON.stringify({ SchemaVersion: { Major: 2, Minor: 0 }, Flags: 0 });

/** The part of koffi that is used; pointers are numbers of 64 bits in it. */
interface Koffi {
  load(path: string): { func(definition: string): NativeFunction };
  readonly decode: { string16(pointer: bigint): string };
}
type NativeFunction = ((...args: unknown[]) => unknown) & {
  async: (...args: unknown[]) => unknown;
};
type Pointer = bigint | null;

/**
 * The service through computenetwork.dll (reference §6.2): every function answers an HRESULT, and text in memory that is ours
 * to free. A text about an error is a failure even beside success. Calls run on koffi's threads: some take seconds.
 *
 * @throws LoamError `backend.hcn-unavailable` when the library is not there
 */
export async function openKoffiHcn(libraries: HcnLibraries = windowsLibraries): Promise<HcnApi> {
  let koffi: Koffi;
  let bind: (definition: string) => NativeFunction;
  let free: NativeFunction;
  try {
    koffi = (await import('koffi')).default as unknown as Koffi;
    const library = koffi.load(libraries.network);
    bind = (definition) => library.func(definition);
    free = koffi.load(libraries.memory).func('void CoTaskMemFree(void *memory)');
  } catch (error) {
    throw LoamError.of('backend.hcn-unavailable', {}, { cause: error });
  }

  function take(pointer: Pointer): string {
    if (pointer === null || pointer === 0n) return '';
    const text = koffi.decode.string16(pointer);
    free(pointer);
    return text;
  }

  /** Calls a function whose last parameter is the error record. Returns what it wrote to the one before, if it has one. */
  async function call(name: string, native: NativeFunction, args: readonly unknown[], out?: [Pointer]): Promise<void> {
    const record: [Pointer] = [null];
    const parameters = [...args, ...(out ? [out] : []), record];
    const result = await new Promise<number>((resolve, reject) => {
      native.async(...parameters, (error: unknown, value: number) => {
        if (error === null || error === undefined) resolve(value);
        else reject(error as Error);
      });
    });
    const text = take(record[0]);
    if (result < 0 || text !== '') throw new HcnFailure(name, result >>> 0, text);
  }

  const perKind = (kind: HcnKind) => {
    const name = names[kind];
    return {
      name,
      enumerate: bind(`int32_t HcnEnumerate${name}s(str16 query, _Out_ void **result, _Out_ void **record)`),
      open: bind(`int32_t HcnOpen${name}(const uint8_t *id, _Out_ void **handle, _Out_ void **record)`),
      query: bind(
        `int32_t HcnQuery${name}Properties(void *handle, str16 query, _Out_ void **result, _Out_ void **record)`,
      ),
      close: bind(`int32_t HcnClose${name}(void *handle)`),
      delete: bind(`int32_t HcnDelete${name}(const uint8_t *id, _Out_ void **record)`),
    };
  };
  const kinds = { network: perKind('network'), endpoint: perKind('endpoint'), namespace: perKind('namespace') };
  const createNetwork = bind(
    'int32_t HcnCreateNetwork(const uint8_t *id, str16 settings, _Out_ void **handle, _Out_ void **record)',
  );
  const createNamespace = bind(
    'int32_t HcnCreateNamespace(const uint8_t *id, str16 settings, _Out_ void **handle, _Out_ void **record)',
  );
  const createEndpoint = bind(
    'int32_t HcnCreateEndpoint(void *network, const uint8_t *id, str16 settings, _Out_ void **handle, _Out_ void **record)',
  );
  const modifyNamespace = bind('int32_t HcnModifyNamespace(void *handle, str16 settings, _Out_ void **record)');

  async function opened<T>(kind: HcnKind, id: string, work: (handle: Pointer) => Promise<T>): Promise<T> {
    const handle: [Pointer] = [null];
    await call(`HcnOpen${names[kind]}`, kinds[kind].open, [guidBytes(id)], handle);
    try {
      return await work(handle[0]);
    } finally {
      kinds[kind].close(handle[0]);
    }
  }

  return {
    async enumerate(kind) {
      const result: [Pointer] = [null];
      await call(`HcnEnumerate${names[kind]}s`, kinds[kind].enumerate, [queryAll], result);
      const ids = JSON.parse(take(result[0]) || '[]') as string[];
      return ids.map((id) => id.replace(/[{}]/g, '').toLowerCase());
    },
    query: (kind, id) =>
      opened(kind, id, async (handle) => {
        const result: [Pointer] = [null];
        await call(`HcnQuery${names[kind]}Properties`, kinds[kind].query, [handle, queryAll], result);
        return JSON.parse(take(result[0]) || '{}') as object;
      }),
    async createNetwork(id, settings) {
      const handle: [Pointer] = [null];
      await call('HcnCreateNetwork', createNetwork, [guidBytes(id), JSON.stringify(settings)], handle);
      kinds.network.close(handle[0]);
    },
    async createNamespace(id, settings) {
      const handle: [Pointer] = [null];
      await call('HcnCreateNamespace', createNamespace, [guidBytes(id), JSON.stringify(settings)], handle);
      kinds.namespace.close(handle[0]);
    },
    createEndpoint: (network, id, settings) =>
      opened('network', network, async (networkHandle) => {
        const handle: [Pointer] = [null];
        const args = [networkHandle, guidBytes(id), JSON.stringify(settings)];
        await call('HcnCreateEndpoint', createEndpoint, args, handle);
        kinds.endpoint.close(handle[0]);
      }),
    modifyNamespace: (id, request) =>
      opened('namespace', id, (handle) =>
        call('HcnModifyNamespace', modifyNamespace, [handle, JSON.stringify(request)]),
      ),
    delete: (kind, id) => call(`HcnDelete${names[kind]}`, kinds[kind].delete, [guidBytes(id)]),
  };
}

/** A GUID as it lies in memory on Windows: the first three groups little-endian. */
export function guidBytes(id: string): Uint8Array {
  const hex = id.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(hex)) throw new Error(`"${id}" is not a GUID`);
  const bytes = Buffer.from(hex, 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
