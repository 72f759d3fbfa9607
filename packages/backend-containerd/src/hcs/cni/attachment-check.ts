import { CniFailure, type Attachment, type CniResult } from '../../cni/conflist.ts';
import type { HcnApi } from '../hcn/hcn-api.ts';
import { queryOrGone, textOf } from '../hcn/nat-network.ts';

/** How the service says that an endpoint is in no namespace. Hosts that do not tell at all say nothing (unverified). */
const nowhere = /^\{?0{8}(?:-0{4}){3}-0{12}\}?$/;

/**
 * Compares what a plugin answered with what the service has: the endpoint that carries the container's name (reference §6.3),
 * the namespace it is in, and its addresses. A stale endpoint of the same name is silently used again by the plugin, and one
 * that is attached to nothing leaves a step without network and without a word.
 *
 * @throws CniFailure
 */
export async function checkAttachment(
  api: HcnApi,
  attachment: Attachment,
  result: CniResult | undefined,
): Promise<void> {
  const fail = (reason: string): CniFailure => new CniFailure('the result', 'ADD', reason);
  const endpoint = await endpointOf(api, attachment.containerId);
  if (endpoint === undefined) throw fail('the Host Network Service has no endpoint of that container');
  const namespace = textOf(endpoint, 'HostComputeNamespace') ?? '';
  if (nowhere.test(namespace)) throw fail('its endpoint is attached to no namespace');
  if (namespace !== '' && plain(namespace) !== plain(attachment.namespace)) {
    throw fail(`its endpoint is in the namespace ${namespace}`);
  }
  const given = addressesOf(endpoint);
  const answered = ((result?.['ips'] ?? []) as readonly { address?: string }[]).map(({ address = '' }) =>
    address.replace(/\/\d+$/, ''),
  );
  const wrong = given.length === 0 ? undefined : answered.find((address) => !given.includes(address));
  if (wrong !== undefined) throw fail(`it says ${wrong}, and its endpoint has ${given.join(', ')}`);
}

async function endpointOf(api: HcnApi, containerId: string): Promise<object | undefined> {
  for (const id of await api.enumerate('endpoint')) {
    const endpoint = await queryOrGone(api, 'endpoint', id);
    if (textOf(endpoint, 'Name')?.startsWith(`${containerId}_`) === true) return endpoint;
  }
  return undefined;
}

function addressesOf(endpoint: { IpConfigurations?: readonly { IpAddress?: string }[] }): string[] {
  return (endpoint.IpConfigurations ?? []).flatMap(({ IpAddress }) => (IpAddress === undefined ? [] : [IpAddress]));
}

function plain(guid: string): string {
  return guid.replace(/[{}]/g, '').toLowerCase();
}
