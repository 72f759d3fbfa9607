import { defineErrors } from './define.ts';

export const apiErrors = defineErrors({
  'api.invalid-request': {
    status: 400,
    message: 'The request is not valid: {reason}.',
    remedy: 'Compare it with the API document at /docs.',
  },
  'api.not-json': {
    status: 400,
    message: 'The body of the request is not valid JSON.',
    remedy: 'Send JSON in UTF-8 with the header `content-type: application/json`.',
  },
  'api.unsupported-body': {
    status: 415,
    message: 'A body of this type cannot be read here.',
    remedy: 'Send `application/json`, and for blobs `application/octet-stream`.',
  },
  'api.too-large': {
    status: 413,
    message: 'This is larger than the {limit} bytes that are accepted.',
    remedy: 'Send less: exclude what the build does not need, or raise the limit of the API.',
  },
  'api.too-many-requests': {
    status: 429,
    message: 'Too many attempts from this address.',
    remedy: 'Wait a minute and try again.',
  },
  'api.not-authenticated': {
    status: 401,
    message: 'You are not logged in.',
    remedy: 'Send `authorization: Bearer loam_…`, or open the login link that `npm start` prints.',
  },
  'api.bad-token': {
    status: 401,
    message: 'This token is unknown or was revoked.',
    remedy: 'Check it for missing characters, or have a new one made.',
  },
  'api.bad-login-code': {
    status: 401,
    message: 'This login link was used already or is too old.',
    remedy: 'Start the farm again for a new one, or log in with an API token.',
  },
  'api.foreign-origin': {
    status: 403,
    message: 'The request came from the page of another site.',
    remedy: "Use the farm's own page, or a program with an API token.",
  },
  'api.no-such-endpoint': {
    status: 404,
    message: 'There is no {method} {path}.',
    remedy: 'The API document at /docs lists what there is.',
  },
  'api.build-unknown': {
    status: 404,
    message: 'There is no build {id}.',
    remedy: 'List what there is with `loam ls`.',
  },
  'api.build-not-ended': {
    status: 409,
    message: 'The build {id} has not ended yet.',
    remedy: 'Wait for its end, or cancel it first.',
  },
  'api.build-ended': {
    status: 409,
    message: 'The build {id} has ended already.',
    remedy: 'There is nothing left to cancel.',
  },
  'api.log-unknown': {
    status: 404,
    message: 'There is no log {id}.',
    remedy: 'Take the `logId` of a step of a build.',
  },
  'api.bad-range': {
    status: 416,
    message: 'The range {range} does not lie within the {size} bytes that there are.',
    remedy: 'Ask for a range that begins before the end.',
  },
  'api.step-unknown': {
    status: 404,
    message: 'The cache graph has no step {id}.',
    remedy: 'The screen of the cache lists what there is.',
  },
  'api.agent-unknown': {
    status: 404,
    message: 'There is no agent {id}.',
    remedy: 'List what there is with `loam agents`.',
  },
  'api.token-unknown': {
    status: 404,
    message: 'There is no token {id}.',
    remedy: 'List what there is with GET /api/v1/tokens.',
  },
  'api.secret-unknown': {
    status: 422,
    message: 'The farm keeps no secret "{name}".',
    remedy: 'Store it first, or give its value with the build.',
  },
  'api.secrets-gone': {
    status: 409,
    message: 'The build {id} was given secrets by value, which are deleted when a build ends.',
    remedy: 'Submit it anew with its secrets, or store them on the farm and name them.',
  },
  'api.bad-secret': {
    status: 422,
    message: 'The secret "{id}" {reason}.',
    remedy: 'Give each secret once, its value in base64, at most 1 MiB.',
  },
  'api.spec-invalid': {
    status: 422,
    message: 'The spec has {count} at line {line}, column {column}: {first}',
    remedy: 'Mend what `diagnostics` lists; each has its place.',
  },
  'api.context-unknown': {
    status: 422,
    message: 'The farm does not have the context {digest}.',
    remedy: 'Upload its manifest first: POST /api/v1/contexts.',
  },
  'api.context-incomplete': {
    status: 422,
    message: '{count} files of the context {digest} were not uploaded.',
    remedy: 'Upload what POST /api/v1/contexts names as missing, then submit again.',
  },
  'api.bad-context': {
    status: 422,
    message: 'The context is not valid: {reason}.',
    remedy: 'Paths are relative, with "/" between their parts, without "..", and each stands there once.',
  },
  'api.blob-unknown': {
    status: 404,
    message: 'There is no blob {digest}.',
    remedy: 'Upload it again.',
  },
  'api.blob-mismatch': {
    status: 422,
    message: 'The bytes that came are not those of {digest}.',
    remedy: 'The file may have changed while it was read. Submit the build again.',
  },
  'api.bad-blobs': {
    status: 422,
    message: 'The blobs cannot be told apart: {reason}.',
    remedy: 'Before the bytes of each, send its digest, a space, its size and a line feed. What came before is stored.',
  },
  'api.idempotency-key-reused': {
    status: 409,
    message: 'This Idempotency-Key was used with another request.',
    remedy: 'Make a new key for every new submission; repeat one only to repeat the very same request.',
  },
  'api.bad-cursor': {
    status: 400,
    message: 'This cursor is not one of ours.',
    remedy: 'Give `next` of the page before as it is, or leave the cursor out to begin at the first page.',
  },
  'api.enrolment-refused': {
    status: 401,
    message: 'This enrolment token is unknown, was used, or has expired.',
    remedy: 'Have a new one made on the screen of agents. Each is good for one agent.',
  },
  'api.enrolment-token-unknown': {
    status: 404,
    message: 'There is no enrolment token {id}.',
    remedy: 'Make a new one on the screen of agents.',
  },
  'api.packages-missing': {
    status: 503,
    message: 'This farm has no packages of the agent to give away: {reason}.',
    remedy: 'Build them where the API runs, with `npm run package`; or set LOAM_AGENT_PACKAGES to where they are.',
  },
  'api.download-unknown': {
    status: 404,
    message: 'There is no package {name}.',
    remedy: 'GET /api/v1/downloads lists what there is.',
  },
  'api.bad-host': {
    status: 400,
    message: 'The request names a host that cannot be one.',
    remedy: 'Set LOAM_PUBLIC_URL to the address that hosts should use.',
  },
  'api.agent-refused': {
    status: 401,
    message: 'This credential is not that of an agent, or it was revoked.',
    remedy: 'Enrol the agent again.',
  },
  'api.attempt-stale': {
    status: 409,
    message: 'The attempt {id} has lost its right to the build.',
    remedy: 'Stop it; another attempt has taken its place, or the build has ended.',
  },
  'api.attempts-exhausted': {
    status: 500,
    message: 'The agents that worked on the build were lost {count} times.',
    remedy: 'Look at the agents: one may crash or lose its network under this build. Then retry it.',
  },
  'api.agent-silent': {
    status: 504,
    message: 'The agent {name} did not answer in time.',
    remedy: 'Try again; if it stays, look at the agent.',
  },
  'api.agent-offline': {
    status: 409,
    message: 'The agent {name} is not connected.',
    remedy: 'Start it on its host; there `loam-agent doctor` tells what keeps it from connecting.',
  },
  'api.agent-gone': {
    status: 503,
    message: 'The agent {name} was disconnected before it answered.',
    remedy: 'Try again when it is back.',
  },
  'api.database-unavailable': {
    status: 503,
    message: 'The database does not answer just now.',
    remedy: 'Try again in some seconds. Running builds go on meanwhile and lose nothing.',
  },
  'api.database-unusable': {
    status: 500,
    message: 'The database cannot be used: {reason}.',
    remedy: 'Check LOAM_DATABASE_URL, and that the server runs, lets this user in and can be reached from here.',
  },
  'api.bad-live-request': {
    status: 400,
    message: 'This is not something that can be watched.',
    remedy: 'The frames of /api/v1/live are described in packages/contracts/src/live/frames.ts.',
  },
  'api.config-invalid': {
    status: 500,
    message: '{name} cannot be used: {reason}.',
    remedy: 'Correct the setting and start again.',
  },
  'api.postgres-failed': {
    status: 500,
    message: 'The embedded PostgreSQL could not be started: {reason}. Its log is {log}.',
    remedy: 'Read its log, or give the address of another one in LOAM_DATABASE_URL.',
  },
});
