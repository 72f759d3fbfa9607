import { describe, expect, test } from 'vitest';

import { linuxLine, manualLine, windowsLine, type LineParts } from './install-lines.ts';

const parts: LineParts = { url: 'https://farm.example', token: 'loamenr_abc', caSha256: null };
const digest = 'ab'.repeat(32);

describe('the line to paste', () => {
  test('on Linux hands the token over in the environment of the script, never as an argument', () => {
    expect(linuxLine(parts)).toBe('curl -fsSL https://farm.example/install.sh | LOAM_ENROL_TOKEN=loamenr_abc sh');
    expect(linuxLine({ ...parts, slots: 4 })).toBe(
      'curl -fsSL https://farm.example/install.sh | LOAM_ENROL_TOKEN=loamenr_abc sh -s -- --slots 4',
    );
  });

  test('on Windows keeps the token out of every command line of a process', () => {
    expect(windowsLine({ ...parts, slots: 4, isolation: 'process-or-hyperv' })).toBe(
      "$env:LOAM_ENROL_TOKEN = 'loamenr_abc'; " +
        '& ([scriptblock]::Create((Invoke-RestMethod -UseBasicParsing https://farm.example/install.ps1))) -Slots 4 -Isolation process-or-hyperv',
    );
  });

  test('says openly when the way to the farm is plain HTTP, and says nothing of it on the same machine', () => {
    expect(linuxLine({ ...parts, url: 'http://10.0.0.5:7700' })).toMatch(/ --allow-http$/);
    expect(windowsLine({ ...parts, url: 'http://farm:7700' })).toMatch(/ -AllowHttp$/);
    for (const url of ['http://127.0.0.1:7700', 'http://localhost:7700', 'http://[::1]:7700']) {
      expect(linuxLine({ ...parts, url }) + windowsLine({ ...parts, url })).not.toMatch(/allow-?http/i);
    }
  });

  test('takes the certificate of a private authority only with the digest that stands in it', () => {
    const linux = linuxLine({ ...parts, caSha256: digest });
    expect(linux.indexOf(`echo "${digest}  $ca" | sha256sum -c`)).toBeLessThan(linux.indexOf('install.sh'));
    expect(linux).toContain('curl -fsSL --cacert "$ca" https://farm.example/install.sh');
    expect(linux).toContain('--ca "$ca"');
    expect(linux.indexOf('loamenr_abc')).toBeGreaterThan(linux.indexOf('sha256sum'));
    const windows = windowsLine({ ...parts, caSha256: digest });
    expect(windows.indexOf(`-ne '${digest}'`)).toBeLessThan(windows.indexOf('Import-Certificate'));
    expect(windows.indexOf('Import-Certificate')).toBeLessThan(windows.indexOf('loamenr_abc'));
    expect(windows).toMatch(/ -CaFile \$ca$/);
  });

  test('by hand has no token in it: that is given on standard input', () => {
    expect(manualLine({ ...parts, slots: 3 })).toBe('loam-agent enrol --url https://farm.example --token - --slots 3');
  });
});
