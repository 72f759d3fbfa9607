import type { Route } from './app.ts';
import { agentBlob } from './agent/blob.ts';
import { agentContext } from './agent/context.ts';
import { enrolAgent } from './agent/enrol.ts';
import { agentLink } from './agent/link.ts';
import { agentSelf } from './agent/self.ts';
import { attemptSecrets } from './agent/secrets.ts';
import { createEnrolmentToken } from './agents/create-enrolment-token.ts';
import { getAgentDoctor, requestAgentDoctor } from './agents/doctor.ts';
import { getEnrolmentToken } from './agents/get-enrolment-token.ts';
import { getAgent } from './agents/get.ts';
import { listAgents } from './agents/list.ts';
import { revokeAgent } from './agents/revoke.ts';
import { updateAgent } from './agents/update.ts';
import { cancelBuild } from './builds/cancel.ts';
import { getBuild } from './builds/get.ts';
import { listBuilds } from './builds/list.ts';
import { retryBuild } from './builds/retry.ts';
import { submitBuild } from './builds/submit.ts';
import { deleteCacheNode } from './cache/delete.ts';
import { getCacheNode } from './cache/get.ts';
import { listCache } from './cache/list.ts';
import { postBlobs } from './contexts/post-blobs.ts';
import { putBlob } from './contexts/put-blob.ts';
import { putContext } from './contexts/put.ts';
import { getDownload, listDownloads } from './install/downloads.ts';
import { installScripts } from './install/scripts.ts';
import { getLog } from './logs/get.ts';
import { createPlan } from './plans/create.ts';
import { deleteSecret, listSecrets, putSecret } from './secrets/secrets.ts';
import { createLoginLink, followLoginLink } from './session/login-link.ts';
import { closeSession, openSession } from './session/session.ts';
import { checkSpecRoute } from './specs/check.ts';
import { health } from './system/health.ts';
import { live } from './system/live.ts';
import { me } from './system/me.ts';
import { metrics } from './system/metrics.ts';
import { createToken, listTokens, revokeToken } from './tokens/tokens.ts';
import { docs } from './web/docs.ts';
import { webUi } from './web/web-ui.ts';

/** Every endpoint there is, in the order in which the API document lists them. */
export const routes: readonly Route[] = [
  submitBuild,
  listBuilds,
  getBuild,
  cancelBuild,
  retryBuild,
  getLog,
  checkSpecRoute,
  createPlan,
  putContext,
  putBlob,
  postBlobs,
  listCache,
  getCacheNode,
  deleteCacheNode,
  listAgents,
  getAgent,
  getAgentDoctor,
  requestAgentDoctor,
  updateAgent,
  revokeAgent,
  createEnrolmentToken,
  getEnrolmentToken,
  listDownloads,
  getDownload,
  listSecrets,
  putSecret,
  deleteSecret,
  me,
  listTokens,
  createToken,
  revokeToken,
  openSession,
  closeSession,
  createLoginLink,
  followLoginLink,
  enrolAgent,
  agentSelf,
  attemptSecrets,
  agentContext,
  agentBlob,
  agentLink,
  live,
  health,
  metrics,
  docs,
  installScripts,
  webUi,
];
