import { isLoamError, LoamError } from '@loam/base';
import { wordsOfPattern, type Problem } from '@loam/contracts';
import { isUnavailable } from '@loam/db';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';

/**
 * Turns whatever was thrown into a problem document (RFC 9457). Only what the catalogue says reaches the caller; the rest
 * goes to the log, under the id of the request that the document names.
 */
export const errors = fastifyPlugin((app, _options, done) => {
  app.setErrorHandler((thrown: unknown, request, reply) => {
    const error = translate(thrown);
    const details = { err: thrown, reqId: request.id, code: error.code };
    if (error.status >= 500) request.log.error(details, 'request failed');
    else request.log.debug(details, 'request refused');
    return answer(error, request, reply);
  });
  done();
});

export function answer(error: LoamError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { diagnostics } = error as { diagnostics?: Problem['diagnostics'] };
  const problem: Problem = {
    type: `urn:loam:error:${error.code}`,
    title: error.code,
    status: error.status,
    detail: error.message,
    code: error.code,
    remedy: error.remedy,
    requestId: request.id,
    ...(diagnostics === undefined ? {} : { diagnostics }),
  };
  if (error.status === 401) void reply.header('www-authenticate', 'Bearer realm="loam"');
  return reply.code(error.status).type('application/problem+json').send(problem);
}

export function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] as string;
}

/** What was thrown, in the words of the catalogue. */
export function translate(thrown: unknown): LoamError {
  if (isLoamError(thrown)) return thrown;
  if (isUnavailable(thrown)) return LoamError.of('api.database-unavailable', {}, { cause: thrown });
  const { code, validation, validationContext, statusCode } = (thrown ?? {}) as Partial<FastifyError>;
  if (validation !== undefined)
    return LoamError.of('api.invalid-request', { reason: reasonOf(validation, validationContext) }, { cause: thrown });
  switch (code) {
    case 'FST_ERR_BAD_URL':
      return LoamError.of(
        'api.invalid-request',
        { reason: 'its address has a % that begins no character in UTF-8' },
        { cause: thrown },
      );
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return LoamError.of('api.not-json', {}, { cause: thrown });
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return LoamError.of(
        'api.too-large',
        { limit: String((thrown as { limit?: number }).limit ?? 'allowed') },
        { cause: thrown },
      );
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return LoamError.of('api.unsupported-body', {}, { cause: thrown });
    default:
      if (statusCode === 429) return LoamError.of('api.too-many-requests', {}, { cause: thrown });
      if (thrown instanceof SyntaxError && statusCode === 400)
        return LoamError.of('api.not-json', {}, { cause: thrown });
      return LoamError.of('general.internal', {}, { cause: thrown });
  }
}

/** What of a request its schema does not allow. Of a choice it names what may be chosen, once; of a pattern what it means. */
function reasonOf(validation: NonNullable<FastifyError['validation']>, context = 'request'): string {
  const choices = new Map<string, unknown[]>();
  for (const { keyword, instancePath, params } of validation)
    if (keyword === 'const') choices.set(instancePath, [...(choices.get(instancePath) ?? []), params['allowedValue']]);
  const reasons = validation.flatMap(({ keyword, instancePath, message, params }) => {
    const words = keyword === 'pattern' ? wordsOfPattern(params['pattern']) : undefined;
    if (words !== undefined) return [`${context}${instancePath} must be ${words}`];
    const allowed = choices.get(instancePath);
    if (allowed === undefined) return [`${context}${instancePath} ${message}`];
    if (keyword === 'anyOf') return [];
    if (keyword !== 'const') return [`${context}${instancePath} ${message}`];
    const named = allowed.map((value) => JSON.stringify(value)).join(', ');
    return [`${context}${instancePath} must be ${allowed.length > 1 ? 'one of ' : ''}${named}`];
  });
  return [...new Set(reasons)].join(', ');
}
