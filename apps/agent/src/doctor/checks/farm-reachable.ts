import { defineCheck, ok, problem, skipped, warning, type Verdict } from '../check.ts';
import { askFarm, isFailure, isTlsFailure, type FarmAnswer, type RequestFailure } from './farm-request.ts';

export const farmReachable = defineCheck<{ url: string; answer: FarmAnswer | RequestFailure }>({
  id: 'farm.reachable',
  title: 'Way to the farm',
  async gather(host) {
    const { url } = host.farm();
    return { url, answer: await askFarm(`${url}/readyz`, () => host.clock.now()) };
  },
  judge: ({ url, answer }) => judgeFarm(url, answer),
});

const remedies: Record<string, string> = {
  ENOTFOUND: 'Check the address (`loam-agent enrol --force --url …` sets another) and the name servers of the host.',
  EAI_AGAIN: 'The name servers of the host do not answer; check its network.',
  ECONNREFUSED: 'Check that the API runs, and that the port in the address is its own.',
  ECONNRESET: 'Something between the agent and the farm cut the connection: look at proxies and firewalls.',
  timeout:
    'Check firewalls and proxies on the way: the agent needs one outbound HTTPS connection. For a proxy set NODE_USE_ENV_PROXY=1 and HTTPS_PROXY in its environment.',
};

export function judgeFarm(url: string, answer: FarmAnswer | RequestFailure): Verdict {
  const cost = 'The agent gets no builds; what runs goes on, and is told when the farm is back.';
  if (isFailure(answer)) {
    if (isTlsFailure(answer.code)) return skipped(`${url}: ${answer.message}.`, 'farm.tls says why it is not trusted.');
    const remedy = remedies[answer.code] ?? "Check the address, the farm and the host's network.";
    return problem(`${url}: ${answer.message} (${answer.code}).`, cost, remedy);
  }
  const ms = Math.round(answer.receivedAtMs - answer.sentAtMs);
  if (answer.status === 200) return ok(`${url} is ready; it answered within ${ms} ms.`, 'Builds can be offered.');
  if (answer.status === 503) {
    return problem(
      `${url} answers, but is not ready (503).`,
      cost,
      "Look into the API's log: its database may be away.",
    );
  }
  return warning(
    `${url}/readyz answered ${answer.status}.`,
    'Something else than the API of a farm may stand there.',
    'Check the address, and that the proxy in front passes all paths and websockets on.',
  );
}
