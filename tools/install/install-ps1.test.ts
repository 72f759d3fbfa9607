import { readFileSync } from 'node:fs';

import { linuxLine, windowsLine } from '@loam/contracts';
import { beforeAll, describe, expect, test } from 'vitest';

import { readPowerShell, type PowerShellScript } from './powershell.ts';

const text = readFileSync(new URL('../../infra/windows/install.ps1', import.meta.url), 'utf8');
let script: PowerShellScript;
beforeAll(async () => {
  script = await readPowerShell(text);
});

/**
 * Cmdlets that it may call, and their parameters: each was looked up in Microsoft's documentation, for Windows PowerShell 5.1
 * (MicrosoftDocs/PowerShell-Docs 27138b21b, reference/5.1) or for Windows Server 2022 and 2025
 * (MicrosoftDocs/windows-powershell-docs f113d6bda, docset/winserver2022-ps and winserver2025-ps).
 */
const documented: Readonly<Record<string, string>> = {
  'Add-MpPreference': '-ExclusionPath -ExclusionProcess',
  'ConvertFrom-Json': '',
  'Copy-Item': '-LiteralPath -Destination -Force',
  'Enable-WindowsOptionalFeature': '-Online -FeatureName -All -NoRestart -WarningAction',
  'Expand-Archive': '-LiteralPath -DestinationPath -Force',
  'ForEach-Object': '',
  'Get-Acl': '-LiteralPath',
  'Get-CimInstance': '-ClassName -Filter',
  'Get-Command': '-Name -ErrorAction',
  'Get-Content': '-LiteralPath -Raw',
  'Get-FileHash': '-LiteralPath -Algorithm',
  'Get-HnsNetwork': '',
  'Get-ItemProperty': '-LiteralPath',
  'Get-MpPreference': '',
  'Get-Service': '-Name -ErrorAction',
  'Get-WindowsOptionalFeature': '-Online -FeatureName',
  'Join-Path': '',
  'Move-Item': '-LiteralPath -Destination',
  'New-Item': '-ItemType -Path -Force',
  'New-ItemProperty': '-LiteralPath -Name -Value -PropertyType -Force',
  'New-Object': '',
  'Out-File': '-LiteralPath -Encoding',
  'Remove-Item': '-LiteralPath -Force -Recurse',
  'Remove-MpPreference': '-ExclusionProcess',
  'Select-String': '-LiteralPath -Pattern -SimpleMatch -Quiet',
  'Set-StrictMode': '-Version',
  'Split-Path': '-Parent',
  'Start-Service': '-Name',
  'Start-Sleep': '-Seconds',
  'Start-Transcript': '-LiteralPath -Append',
  'Stop-Service': '-Name -Force',
  'Stop-Transcript': '',
  'Test-Path': '-LiteralPath -PathType',
  'Wait-Process': '-Id -Timeout -ErrorAction',
  'Where-Object': '',
  'Write-Host': '-ForegroundColor',
};

describe('the install script for Windows', () => {
  test('is PowerShell', () => {
    expect(script.errors).toEqual([]);
  });

  test('would not pass if a brace were missing', async () => {
    expect((await readPowerShell(text.replace('function Test-Farm {', 'function Test-Farm'))).errors).not.toEqual([]);
  });

  test('calls documented cmdlets with documented parameters, its own functions, and nothing else', () => {
    const own = script.functions;
    const named = script.calls.filter(({ name }) => /^[A-Za-z]/.test(name));
    expect(named.length).toBeGreaterThan(100);
    const unknown = named.flatMap(({ name, parameters }) => {
      if (own.has(name)) return [];
      const known = documented[name]?.split(' ');
      return known === undefined
        ? [name]
        : parameters.filter((each) => !known.includes(each)).map((each) => `${name} ${each}`);
    });
    expect(unknown).toEqual([]);
    const called = new Set(named.map(({ name }) => name));
    expect(Object.keys(documented).filter((name) => !called.has(name))).toEqual([]);
    expect([...script.functions.keys()].filter((name) => !called.has(name))).toEqual([]);
  });

  test('gives its functions no more than they take', () => {
    const own = script.calls.filter(({ name }) => script.functions.has(name));
    expect(own.length).toBeGreaterThan(60);
    const wrong = own.filter(({ name, argumentCount }) => argumentCount > (script.functions.get(name) ?? 0));
    expect(wrong.map((call) => call.text)).toEqual([]);
  });

  test('reads no variable that nothing was put into, which strict mode would end', () => {
    const automatic = [
      '_',
      'null',
      'true',
      'false',
      'matches',
      'lastexitcode',
      'pscmdlet',
      'psversiontable',
      'whatifpreference',
    ];
    const known = (name: string): boolean =>
      name.startsWith('env:') || automatic.includes(name) || script.assigned.has(name);
    expect(script.variables.size).toBeGreaterThan(60);
    expect([...script.variables].filter((name) => !known(name))).toEqual([]);
  });

  test('fills every place of its messages', () => {
    expect(script.formats.length).toBeGreaterThan(50);
    for (const { template, values } of script.formats) {
      const places = [...template.matchAll(/\{(\d+)\}/g)].map(([, place]) => Number(place));
      expect([template, Math.max(...places) + 1]).toEqual([template, values]);
    }
  });

  test('stops at the first error, in strict mode', () => {
    expect(text).toContain('\nSet-StrictMode -Version Latest\n');
    expect(text).toContain("\n$ErrorActionPreference = 'Stop'\n");
    expect(text.match(/\$ErrorActionPreference = /g)).toHaveLength(2);
  });

  test('is ASCII, since Windows PowerShell reads files without a mark in the code page of the host', () => {
    // oxlint-disable-next-line no-control-regex
    expect(text).toMatch(/^[\n\x20-\x7e]+$/);
  });

  test('does not end the window that it is pasted into, and leaves no names in it', () => {
    expect(text).not.toMatch(/^\s*exit\b|\[Environment\]::Exit|\$(?:global|script):|Invoke-Expression/im);
  });

  test('has no variable that a colon after it would make one of another scope', () => {
    expect(text).not.toMatch(/"[^"\n]*\$(?!env:)\w+:/);
  });

  test('takes nothing from elsewhere that is not pinned by version and digest', () => {
    const addresses = text.match(/https?:\/\/[\w.]+\/[^\s'")]*/g) ?? [];
    expect(addresses).toEqual([
      'https://github.com/containerd/containerd/releases/download/v{0}/containerd-{0}-windows-amd64.tar.gz',
      'https://github.com/microsoft/windows-container-networking/releases/download/v{0}/windows-container-networking-cni-amd64-v{0}.zip',
    ]);
    expect(text).toMatch(/\$ContainerdVersion = '\d+\.\d+\.\d+',\n.*\$ContainerdSha256 = '[0-9a-f]{64}'/);
    expect(text).toMatch(/\$CniVersion = '\d+\.\d+\.\d+'\n\$CniSha256 = '[0-9a-f]{64}'/);
    const downloads = script.calls.filter(({ name }) => name === 'Get-Verified').map((call) => call.text);
    expect(downloads).toHaveLength(3);
    for (const download of downloads) expect(download).toMatch(/Sha256/);
    expect(text.match(/curl\.exe/g)).toHaveLength(1);
  });

  test('keeps the token from arguments, logs and programs that it starts', () => {
    const uses = text.split('\n').filter((line) => /\$Token\b/.test(line));
    expect(uses.map((line) => line.trim())).toEqual([
      '$Token = [string]$env:LOAM_ENROL_TOKEN',
      "} elseif ($Token -eq '' -and -not $WhatIfPreference) {",
      '$enrolled = Invoke-Native $Program $arguments $Token',
    ]);
    expect(text.indexOf('$env:LOAM_ENROL_TOKEN = $null')).toBeGreaterThan(text.indexOf('$Token = '));
    expect(text.indexOf('$env:LOAM_ENROL_TOKEN = $null')).toBeLessThan(text.indexOf('Start-Transcript'));
  });

  test('ends with a code, what is wrong and what to do, whatever ends it', () => {
    const ends = script.calls.filter(({ name }) => name === 'Stop-Install');
    expect(ends.length).toBeGreaterThan(20);
    for (const end of ends)
      expect(end.text).toMatch(/^Stop-Install 'install\.[a-z-]+' (?:'[^|]+'|\(.+\)) (?:'[^|]{10,}'|\('[^|]{10,}\))$/);
    expect(text.match(/^\s*throw /gm)).toHaveLength(2);
  });

  test('changes the host only in steps, which -WhatIf only names', () => {
    const changing = /^(?:Add|Copy|Enable|Expand|Move|New|Out|Remove|Start|Stop)-/;
    const harmless = new Set(['New-Object', 'Start-Sleep', 'Stop-Transcript', 'Stop-Install']);
    // Called by steps alone, as the next test shows; and what makes nothing with -WhatIf.
    const partsOfSteps = ['Add-Containerd', 'Get-Verified', 'Stop-Agent', 'Start-Log'];
    const own = script.functions;
    const outside = script.calls
      .filter(({ name }) => changing.test(name) && !harmless.has(name) && !own.has(name))
      .filter(({ inside }) => !inside.some((each) => each === 'Invoke-Step' || partsOfSteps.includes(each)));
    expect(outside.map((call) => call.text)).toEqual([]);
  });

  test.each(['Add-Containerd', 'Get-Verified', 'Stop-Agent'])('calls %s in steps alone', (name) => {
    const calls = script.calls.filter((call) => call.name === name);
    expect(calls.length).toBeGreaterThan(0);
    for (const { inside } of calls)
      expect(['Invoke-Step', 'Add-Containerd']).toContain(inside.find((each) => each === 'Invoke-Step') ?? inside[0]);
  });
});

/** The text of one of its functions, without comments. */
function bodyOf(name: string): string {
  const body = new RegExp(`^function ${name}\\b[^]*?^\\}`, 'm').exec(text)?.[0];
  if (body === undefined) throw new Error(`no function ${name}`);
  return body.replaceAll(/^\s*#.*\n/gm, '');
}

/** The parts stand in the text in this order. */
function expectInOrder(body: string, ...parts: string[]): void {
  const places = parts.map((part) => body.indexOf(part));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
}

describe('the state directory on Windows', () => {
  test('is looked at for its owner first, who could open it again, and for who comes in after it was closed', () => {
    const body = bodyOf('New-StateDirectory');
    expectInOrder(
      body,
      'install.foreign-state',
      'Test-Private',
      'Write-Already',
      '/inheritance:r',
      '-not (Test-Private',
    );
  });
});

describe('the agent on Windows', () => {
  test('is neither stopped nor replaced for a farm that it does not belong to, nor without a token', () => {
    expectInOrder(bodyOf('Test-Membership'), 'install.other-farm', 'install.no-token');
    expectInOrder(
      bodyOf('Install-Agent'),
      'New-StateDirectory',
      'Test-Membership',
      'Install-Containerd',
      'Install-Program',
    );
  });

  test('enrols and runs with the authority of the farm, which Node does not find in the store of Windows', () => {
    expectInOrder(
      bodyOf('Join-Farm'),
      '$env:NODE_EXTRA_CA_CERTS = $ca',
      '$arguments $Token',
      '$env:NODE_EXTRA_CA_CERTS = $before',
    );
    expect(bodyOf('Install-AgentService')).toContain("Set-ServiceVariable 'NODE_EXTRA_CA_CERTS' $ca");
    expectInOrder(bodyOf('Install-Agent'), 'Install-Ca', 'Join-Farm', 'Install-AgentService');
  });

  test('is started again with another authority', () => {
    expectInOrder(bodyOf('Install-Ca'), 'Copy-Item', '$Run.Replaced = $true');
  });

  test('has ended as a process, too, before its file is replaced or deleted', () => {
    expectInOrder(bodyOf('Stop-Agent'), 'Stop-Service', 'Wait-Process');
    expectInOrder(bodyOf('Install-Program'), 'Stop-Agent', 'Remove-Item');
    expectInOrder(bodyOf('Remove-Agent'), 'Stop-Agent', '$ProgramDirectory -Recurse');
  });
});

describe('the line to paste on Windows', () => {
  const parts = { url: 'https://farm.example', token: 'loamenr_a-b_c', slots: 2, isolation: 'hyperv' } as const;

  test.each([null, 'ab'.repeat(32)])('is PowerShell, with a private authority or without (%s)', async (caSha256) => {
    const line = windowsLine({ ...parts, caSha256 });
    expect(line).not.toContain('\n');
    const { errors, calls } = await readPowerShell(line);
    expect(errors).toEqual([]);
    expect(calls.map(({ name }) => name)).toContain('Invoke-RestMethod');
  });

  test('gives the script only parameters that it has', async () => {
    for (const caSha256 of [null, 'ab'.repeat(32)]) {
      const line = windowsLine({ ...parts, url: 'http://farm', caSha256 });
      const given = [...line.slice(line.lastIndexOf('install.ps1')).matchAll(/ -([A-Z]\w+)/g)].map(([, name]) => name);
      expect(given.length).toBeGreaterThan(2);
      for (const name of given) expect(text).toMatch(new RegExp(`^ {4}\\[.*\\]\\$${name}\\b`, 'm'));
    }
  });
});

describe('the line to paste on Linux', () => {
  test('gives the script only options that it has', () => {
    const shell = readFileSync(new URL('../../infra/linux/install.sh', import.meta.url), 'utf8');
    const line = linuxLine({ url: 'http://farm', token: 't', slots: 3, caSha256: 'ab'.repeat(32) });
    const given = line.slice(line.lastIndexOf('sh -s --') + 8).match(/--[a-z-]+/g);
    expect(given).toEqual(['--slots', '--allow-http', '--ca']);
    for (const option of given ?? []) expect(shell).toMatch(new RegExp(`${option}\\b.*\\)`));
  });
});
