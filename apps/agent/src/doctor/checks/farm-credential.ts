import { isLoamError, type PublicError } from '@loam/base';

import type { FarmConfig } from '../../config.ts';
import { defineCheck, ok, problem, unknown, type Verdict } from '../check.ts';
import { askFarm, isFailure, type FarmAnswer, type RequestFailure } from './farm-request.ts';

type CredentialFacts =
  | { readonly name: string; readonly pool: string; readonly answer: FarmAnswer | RequestFailure }
  /** The file that holds the credential cannot be used. */
  | { readonly invalid: PublicError };

export const farmCredential = defineCheck<CredentialFacts>({
  id: 'farm.credential',
  title: 'Enrolment',
  async gather(host) {
    let farm: FarmConfig;
    try {
      farm = host.farm();
    } catch (error) {
      if (isLoamError(error, 'agent.config-invalid')) return { invalid: error.toPublic() };
      throw error;
    }
    const { url, credential, name, pool } = farm;
    const headers = { authorization: `Bearer ${credential}` };
    return { name, pool, answer: await askFarm(`${url}/api/v1/agent/self`, () => host.clock.now(), headers) };
  },
  judge: judgeCredential,
});

export function judgeCredential(facts: CredentialFacts): Verdict {
  if ('invalid' in facts) return problem(facts.invalid.message, 'The agent does not start.', facts.invalid.remedy);
  const { name, pool, answer } = facts;
  const meaning = 'farm.reachable and farm.tls say what stands in the way.';
  if (isFailure(answer)) return unknown(`Nobody could be asked: ${answer.message}.`, meaning);
  if (answer.status === 200)
    return ok(`It is enrolled as ${name} in the pool ${pool}.`, 'Builds of that pool come here.');
  if (answer.status === 401 || answer.status === 403) {
    return problem(
      `The farm refused the credential (${answer.status}).`,
      'The agent was revoked, or the farm was restored from an older copy: it gets no builds.',
      'Enrol it anew: `loam-agent enrol --force --url … --token …`, with a token from the page of agents.',
    );
  }
  return unknown(`The farm answered ${answer.status}.`, 'The farm may be older than the agent.');
}
