import { isDigest, LoamError, type Digest } from '@loam/base';

/** An image reference, fully qualified. */
export interface ImageReference {
  /** As the user wrote it. */
  readonly text: string;
  /** The registry: `docker.io`, `localhost:5000`. */
  readonly host: string;
  /** The path below the registry: `library/busybox`. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
  /** `host/repository:tag`, or `host/repository@digest` when a digest is given: then the tag means nothing. */
  readonly name: string;
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
const hostPattern =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Completes a reference as Docker does: no registry means docker.io, no path there means library/, no tag means latest.
 * Throws `backend.reference-invalid`.
 * Source: distribution/reference normalize.go, as in reference §8.1.
 */
export function parseReference(text: string): ImageReference {
  const refuse = (reason: string): LoamError => LoamError.of('backend.reference-invalid', { reference: text, reason });
  if (text === '') throw refuse('it is empty');
  if (text !== text.trim() || /\s/.test(text)) throw refuse('it contains white space');
  if (/^[0-9a-f]{64}$/.test(text)) throw refuse('64 hexadecimal digits could be an image id');

  const [beforeDigest = '', ...digestParts] = text.split('@');
  if (digestParts.length > 1) throw refuse('it has more than one digest');
  const digestText = digestParts[0];
  if (digestText !== undefined && !isDigest(digestText))
    throw refuse('its digest is not sha256 and 64 hexadecimal digits');

  const slash = beforeDigest.indexOf('/');
  const first = beforeDigest.slice(0, slash);
  const hasHost = slash > 0 && (first === 'localhost' || /[.:[]/.test(first) || first !== first.toLowerCase());
  let host = hasHost ? first : 'docker.io';
  let rest = hasHost ? beforeDigest.slice(slash + 1) : beforeDigest;
  if (host === 'index.docker.io') host = 'docker.io';
  if (!hostPattern.test(host)) throw refuse(`"${host}" is not a registry`);

  const colon = rest.lastIndexOf(':');
  const tagText = colon > rest.lastIndexOf('/') ? rest.slice(colon + 1) : undefined;
  if (tagText !== undefined) {
    if (!tagPattern.test(tagText)) throw refuse(`"${tagText}" is not a tag`);
    rest = rest.slice(0, colon);
  }
  if (rest !== rest.toLowerCase()) throw refuse('a repository name must be lower case');
  if (!repositoryPattern.test(rest)) throw refuse(`"${rest}" is not a repository name`);
  const repository = host === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest;
  if (host.length + repository.length > 255) throw refuse('it is longer than 255 characters');

  const tag = tagText ?? (digestText === undefined ? 'latest' : undefined);
  const name = digestText === undefined ? `${host}/${repository}:${tag}` : `${host}/${repository}@${digestText}`;
  return { text, host, repository, tag, digest: digestText, name };
}
