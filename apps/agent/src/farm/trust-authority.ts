import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

/** Where the install scripts keep the certificate of a private authority behind the farm: in the state directory. */
export const authorityFile = 'ca.pem';

/**
 * Has this process trust the authority whose certificate lies in the state directory, if one does, beside those it trusts
 * anyway: so that it does not matter who started it, and with which environment.
 */
export function trustAuthority(stateDirectory: string): void {
  const file = join(stateDirectory, authorityFile);
  try {
    const certificate = readFileSync(file, 'utf8');
    // What is none would be passed over in silence.
    new X509Certificate(certificate);
    setDefaultCACertificates([...getCACertificates('default'), certificate]);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Mostly there is none; and who may not read the directory fails on something else soon.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES' || code === 'EPERM') return;
    process.emitWarning(`${file} is of no use: ${message}`);
  }
}
