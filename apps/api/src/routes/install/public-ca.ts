import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { LoamError } from '@loam/base';

export interface PublicCa {
  readonly pem: string;
  /** Of the file's bytes, in hex. */
  readonly sha256: string;
}

/** The certificate that new hosts have to trust; null when the public address needs none. Throws `api.config-invalid`. */
export async function readPublicCa(file: string | null): Promise<PublicCa | null> {
  if (file === null) return null;
  const invalid = (reason: string, cause?: unknown): LoamError =>
    LoamError.of('api.config-invalid', { name: 'LOAM_PUBLIC_CA', reason }, { cause });
  const pem = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw invalid('the file cannot be read', cause);
  });
  // It is given to everybody: a file that also holds a key must never be.
  if (!/-----BEGIN CERTIFICATE-----/.test(pem) || /PRIVATE KEY/.test(pem))
    throw invalid('it is not a certificate in PEM');
  return { pem, sha256: createHash('sha256').update(pem).digest('hex') };
}
