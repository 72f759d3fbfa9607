import { isIP } from 'node:net';
import { connect, type PeerCertificate, type DetailedPeerCertificate } from 'node:tls';

import { defineCheck, ok, problem, skipped, unknown, warning, type Verdict } from '../check.ts';

interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  readonly validTo: string;
}

export interface TlsFacts {
  readonly url: string;
  /** Undefined when no certificate came. */
  readonly chain?: readonly CertificateFacts[];
  /** Node's code when it does not trust the chain: `SELF_SIGNED_CERT_IN_CHAIN`. */
  readonly refusal?: string | undefined;
  readonly protocol?: string | null;
  /** Why there was no handshake. */
  readonly failure?: string;
  readonly nowMs: number;
}

const timeoutMs = 10_000;
const soonMs = 14 * 24 * 3_600_000;

export const farmTls = defineCheck<TlsFacts>({
  id: 'farm.tls',
  title: 'Certificate of the farm',
  gather: (host) => handshake(host.farm().url, host.clock.now()),
  judge: judgeTls,
});

/** Looks at what is presented without trusting it: nothing is sent. */
function handshake(url: string, nowMs: number): Promise<TlsFacts> {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== 'https:') return Promise.resolve({ url, nowMs });
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(port || 443),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      rejectUnauthorized: false,
    });
    const end = (facts: Omit<TlsFacts, 'url' | 'nowMs'>): void => {
      socket.destroy();
      resolve({ url, nowMs, ...facts });
    };
    socket.setTimeout(timeoutMs, () => end({ failure: `no answer within ${timeoutMs / 1000} s` }));
    socket.once('error', (error) => end({ failure: error.message }));
    socket.once('secureConnect', () => {
      const error = socket.authorizationError as unknown as string | { code?: string; message: string } | undefined;
      const refusal =
        typeof error === 'object' && error !== null ? (error.code ?? error.message) : (error ?? undefined);
      end({ chain: chainOf(socket.getPeerCertificate(true)), refusal, protocol: socket.getProtocol() });
    });
  });
}

function chainOf(first: DetailedPeerCertificate): CertificateFacts[] {
  const chain: CertificateFacts[] = [];
  const seen = new Set<string>();
  for (let at: DetailedPeerCertificate | undefined = first; at?.fingerprint256; at = at.issuerCertificate) {
    if (seen.has(at.fingerprint256)) break;
    seen.add(at.fingerprint256);
    chain.push({ subject: nameOf(at.subject), issuer: nameOf(at.issuer), validTo: at.valid_to });
  }
  return chain;
}

function nameOf(name: PeerCertificate['subject']): string {
  const text = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);
  return text(name.CN) ?? text(name.O) ?? 'without a name';
}

const remedies: Record<string, string> = {
  CERT_HAS_EXPIRED: 'Renew the certificate of the farm; if it is fresh, the clock of this host is wrong.',
  CERT_NOT_YET_VALID: 'The clock of this host is behind, or the certificate is not good yet.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Use the name that the certificate is made for: `loam-agent enrol --force --url …`.',
};
const authority =
  "Put the certificate of your authority into the agent's state directory as ca.pem (or NODE_EXTRA_CA_CERTS=FILE into its environment), and restart the agent. If the chain lacks an intermediate, add that on the farm's side.";

export function judgeTls({ url, chain, refusal, protocol, failure, nowMs }: TlsFacts): Verdict {
  const cost = 'The agent does not link to the farm, and gets no builds.';
  if (chain === undefined && failure === undefined) {
    const { hostname } = new URL(url);
    const isLocal = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
    if (isLocal) return skipped(`${url} is on this host, without TLS.`, 'Nothing leaves the host.');
    return warning(
      `${url} has no TLS.`,
      "Everybody on the way can read the agent's credential and the secrets of builds.",
      'Put a proxy with TLS in front of the API and enrol with https://.',
    );
  }
  if (chain === undefined) return unknown(`${url}: ${failure}.`, 'farm.reachable says whether it answers.');
  const shown = chain.map(({ subject, validTo }) => `${subject} (until ${validTo})`).join(', issued by ');
  const last = chain.at(-1);
  const root = last === undefined || last.issuer === last.subject ? '' : `, issued by ${last.issuer}`;
  const seen = `${url} presents ${shown || 'no certificate'}${root}${protocol ? ` over ${protocol}` : ''}.`;
  if (refusal !== undefined) return problem(`${seen} Refused: ${refusal}.`, cost, remedies[refusal] ?? authority);
  const ends = chain.map(({ validTo }) => Date.parse(validTo)).filter((time) => !Number.isNaN(time));
  if (Math.min(...ends) - nowMs < soonMs) {
    return warning(seen, 'When it expires, no agent links any more.', 'Renew it; agents need no change.');
  }
  return ok(seen, 'The agent knows whom it speaks to.');
}
