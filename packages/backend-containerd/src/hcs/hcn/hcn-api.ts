/** A thing of the Host Compute Network service. */
export type HcnKind = 'network' | 'endpoint' | 'namespace';

/**
 * The part of computenetwork.dll that we call (reference §6.2): documents in, documents out, ids as GUIDs without braces.
 * Everything throws `HcnFailure` when the service refuses.
 */
export interface HcnApi {
  /** The ids of all things of a kind. */
  enumerate(kind: HcnKind): Promise<string[]>;
  /** The properties of one. */
  query(kind: HcnKind, id: string): Promise<object>;
  createNetwork(id: string, settings: object): Promise<void>;
  createEndpoint(network: string, id: string, settings: object): Promise<void>;
  createNamespace(id: string, settings: object): Promise<void>;
  modifyNamespace(id: string, request: object): Promise<void>;
  delete(kind: HcnKind, id: string): Promise<void>;
}

/** A refusal. `record` is what the service wrote about it, for logs. */
export class HcnFailure extends Error {
  readonly call: string;
  /** Unsigned. 0 when the service reported success and an error record beside it. */
  readonly hresult: number;

  constructor(call: string, hresult: number, record: string) {
    super(`${call}: 0x${hresult.toString(16).toUpperCase().padStart(8, '0')} ${record}`.trimEnd());
    this.name = 'HcnFailure';
    this.call = call;
    this.hresult = hresult;
  }
}
