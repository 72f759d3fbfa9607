import { HcnFailure, type HcnApi } from '../hcs/hcn/hcn-api.ts';

/** Behaves as the reference's §6.2 says of the service; what it says is unverified. */
export class ScriptedHcn implements HcnApi {
  readonly things = {
    network: new Map<string, object>(),
    endpoint: new Map<string, object>(),
    namespace: new Map<string, object>(),
  };
  readonly attached = new Map<string, string>();
  readonly calls: string[] = [];
  /** Fails that call with that HRESULT, once. */
  readonly faults = new Map<string, number>();
  /** Called before each call. */
  before: (call: string) => void | Promise<void> = () => undefined;

  async #call(call: string): Promise<void> {
    this.calls.push(call);
    await this.before(call);
    const fault = this.faults.get(call);
    this.faults.delete(call);
    if (fault !== undefined) throw new HcnFailure(call, fault, '{"Error":"scripted"}');
  }
  async enumerate(kind: keyof ScriptedHcn['things']): Promise<string[]> {
    await this.#call(`enumerate ${kind}`);
    return [...this.things[kind].keys()];
  }
  async query(kind: keyof ScriptedHcn['things'], id: string): Promise<object> {
    await this.#call(`query ${kind}`);
    const found = this.things[kind].get(id);
    if (!found) throw new HcnFailure('query', 0x803b0001, '');
    return found;
  }
  async createNetwork(id: string, settings: object): Promise<void> {
    await this.#call('create network');
    this.things.network.set(id, settings);
  }
  async createEndpoint(network: string, id: string, settings: object): Promise<void> {
    await this.#call('create endpoint');
    if (!this.things.network.has(network)) throw new HcnFailure('create endpoint', 0x803b0001, '');
    this.things.endpoint.set(id, settings);
  }
  async createNamespace(id: string, settings: object): Promise<void> {
    await this.#call('create namespace');
    this.things.namespace.set(id, settings);
  }
  async modifyNamespace(id: string, request: object): Promise<void> {
    const { RequestType, Settings } = request as { RequestType: string; Settings: { EndpointId: string } };
    await this.#call(RequestType === 'Add' ? 'attach' : 'detach');
    if (!this.things.namespace.has(id)) throw new HcnFailure('open namespace', 0x80070490, 'Element not found.');
    if (RequestType === 'Add') this.attached.set(Settings.EndpointId, id);
    else this.attached.delete(Settings.EndpointId);
  }
  async delete(kind: keyof ScriptedHcn['things'], id: string): Promise<void> {
    await this.#call(`delete ${kind}`);
    if (!this.things[kind].delete(id)) throw new HcnFailure(`delete ${kind}`, 0x803b0002, '');
  }
}
