import type { Isolation } from './agents.ts';

/** What a line to paste is made of. */
export interface LineParts {
  /** Address of the farm. */
  readonly url: string;
  readonly token: string;
  readonly slots?: number | undefined;
  readonly isolation?: Isolation | undefined;
  /** SHA-256, in hex, of the certificate of a private authority that the host has to trust first. */
  readonly caSha256: string | null;
}

/**
 * The line for a root shell on Linux. The token is in the environment of the script alone: arguments are seen by every
 * user of the host. A private authority's certificate is fetched without trust and used only when it has the right digest.
 */
export function linuxLine(parts: LineParts): string {
  const { url, token, slots, caSha256 } = parts;
  const options = [
    ...(slots === undefined ? [] : [`--slots ${slots}`]),
    ...(isPlainHttp(url) ? ['--allow-http'] : []),
    ...(caSha256 === null ? [] : ['--ca "$ca"']),
  ];
  const run = `LOAM_ENROL_TOKEN=${token} sh${options.length === 0 ? '' : ` -s -- ${options.join(' ')}`}`;
  if (caSha256 === null) return `curl -fsSL ${url}/install.sh | ${run}`;
  const trust = `ca=$(mktemp) && curl -fsSLk ${url}/install-ca.pem -o "$ca" && echo "${caSha256}  $ca" | sha256sum -c --quiet`;
  return `${trust} && curl -fsSL --cacert "$ca" ${url}/install.sh | ${run}`;
}

/**
 * The line for an elevated Windows PowerShell. It is pasted into a window rather than given to `powershell -Command`:
 * so the token is in no command line of a process, which audits and transcripts record. `-UseBasicParsing` keeps updated
 * hosts from asking before a download (CVE-2025-54100, Microsoft's page of Invoke-WebRequest 5.1).
 */
export function windowsLine(parts: LineParts): string {
  const { url, token, slots, isolation, caSha256 } = parts;
  const options = [
    ...(slots === undefined ? [] : [` -Slots ${slots}`]),
    ...(isolation === undefined ? [] : [` -Isolation ${isolation}`]),
    ...(isPlainHttp(url) ? [' -AllowHttp'] : []),
    ...(caSha256 === null ? [] : [' -CaFile $ca']),
  ].join('');
  const trust =
    caSha256 === null
      ? ''
      : `$ca = "$env:TEMP\\loam-ca.cer"; curl.exe -fsSk ${url}/install-ca.pem -o $ca; ` +
        `if ((Get-FileHash $ca).Hash -ne '${caSha256}') { throw 'This is not the certificate of the farm.' }; ` +
        `$null = Import-Certificate -FilePath $ca -CertStoreLocation Cert:\\LocalMachine\\Root; `;
  return (
    `${trust}$env:LOAM_ENROL_TOKEN = '${token}'; ` +
    `& ([scriptblock]::Create((Invoke-RestMethod -UseBasicParsing ${url}/install.ps1)))${options}`
  );
}

/** For an agent that is on the host already, in either shell; it asks for nothing else. */
export function manualLine({ url, slots, isolation }: LineParts): string {
  return [
    `loam-agent enrol --url ${url} --token -`,
    ...(slots === undefined ? [] : [`--slots ${slots}`]),
    ...(isolation === undefined ? [] : [`--isolation ${isolation}`]),
  ].join(' ');
}

/** Whether what goes there can be read and changed on the way: HTTP to another machine. */
export function isPlainHttp(origin: string): boolean {
  const { protocol, hostname } = new URL(origin);
  return protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}
