import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { hostOptions } from './commands/options.ts';
import { readWindowsSettings, windowsSettingNames, type WindowsSettings } from './windows-settings.ts';

const everything: Required<WindowsSettings> = {
  isolation: 'process-or-hyperv',
  stepCpus: '1.5',
  stepMemory: '4G',
  stepScratch: '60G',
  networkProvider: 'cni',
  natNetwork: 'builds',
  natSubnet: '10.9.0.0/16',
  dns: '1.1.1.1, 9.9.9.9',
  cniConf: 'C:\\cni\\conf',
  cniBin: 'C:\\cni\\bin',
  secretsDir: 'D:\\secrets',
};

describe('what an operator says about a Windows host', () => {
  it('reaches the back end, every bit of it', () => {
    expect(Object.keys(everything)).toEqual(windowsSettingNames);
    expect(readWindowsSettings(everything)).toEqual({
      isolation: 'process-or-hyperv',
      limits: { cpus: 1.5, memoryBytes: 4 * 2 ** 30, scratchBytes: 60 * 2 ** 30 },
      network: {
        provider: 'cni',
        natNetwork: 'builds',
        natSubnet: '10.9.0.0/16',
        dnsServers: ['1.1.1.1', '9.9.9.9'],
        cniConfDirectory: 'C:\\cni\\conf',
        cniBinDirectory: 'C:\\cni\\bin',
      },
      secretsDirectory: 'D:\\secrets',
    });
    expect(readWindowsSettings({})).toEqual({});
  });

  it.each([
    [{ isolation: 'hyper-v' }, '--isolation'],
    [{ networkProvider: 'nat' }, '--network-provider'],
    [{ natSubnet: '172.20.0.0' }, '--nat-subnet'],
    [{ natSubnet: '172.20.0.0/33' }, '--nat-subnet'],
    [{ natSubnet: '172.20.300.0/16' }, '--nat-subnet'],
    [{ dns: '1.1.1.1;8.8.8.8' }, '--dns'],
    [{ stepMemory: 'lots' }, '--step-memory'],
    [{ stepScratch: '-1' }, '--step-scratch'],
    [{ stepCpus: '0' }, '--step-cpus'],
  ] satisfies [WindowsSettings, string][])('is refused by the name of its flag: %j', (settings, option) => {
    expect(() => readWindowsSettings(settings)).toThrow(
      expect.objectContaining({
        code: 'agent.bad-argument',
        message: expect.stringContaining(option) as string,
      }) as Error,
    );
  });
});

describe('what enrol kept', () => {
  let state: string;
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'loam-settings-'));
  });
  afterEach(() => rmSync(state, { recursive: true }));

  const common = { namespace: 'loam' };
  const keep = (windows: WindowsSettings): void =>
    writeFileSync(join(state, 'config.json'), JSON.stringify({ windows }));

  it('holds for every command, and gives way to what the command says', () => {
    keep({ isolation: 'hyperv', stepMemory: '4G', dns: '' });
    expect(hostOptions({ ...common, state }).windows).toEqual({
      isolation: 'hyperv',
      limits: { memoryBytes: 2 ** 32 },
    });
    expect(hostOptions({ ...common, state, isolation: 'process' }).windows).toMatchObject({ isolation: 'process' });
  });

  it('is not asked for on a host that is not enrolled', () => {
    expect(hostOptions({ ...common, state }).windows).toEqual({});
  });
});
