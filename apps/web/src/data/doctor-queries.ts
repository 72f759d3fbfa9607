import type { Agent } from '@loam/contracts';
import { keepPreviousData, useMutation, useQuery } from '@tanstack/react-query';

import { api } from './api.ts';

/** The last report of an agent's doctor. `agent.doctor.at` comes over the live connection: a newer one is fetched then. */
export function useDoctorReport(agent: Agent, enabled: boolean) {
  return useQuery({
    queryKey: ['doctor', agent.id, agent.doctor?.at ?? null],
    queryFn: async () => (await api.agentDoctor(agent.id)).report,
    placeholderData: keepPreviousData,
    enabled: enabled && agent.doctor !== null,
  });
}

/** Has the agent examine its host now. */
export function useDoctorRequest(agent: Agent) {
  return useMutation({ mutationFn: () => api.requestAgentDoctor(agent.id), meta: { quiet: true } });
}
