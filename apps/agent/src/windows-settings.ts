import type { HcsOptions } from '@loam/backend-containerd';
import { LoamError } from '@loam/base';

import { parseCpus, parseMemory } from './quantities.ts';

/** What an operator may say about a Windows host, as written: on the command line, in the environment, or kept by `enrol`. */
export interface WindowsSettings {
  readonly isolation?: string;
  readonly stepCpus?: string;
  readonly stepMemory?: string;
  readonly stepScratch?: string;
  readonly networkProvider?: string;
  readonly natNetwork?: string;
  readonly natSubnet?: string;
  readonly dns?: string;
  readonly cniConf?: string;
  readonly cniBin?: string;
  readonly secretsDir?: string;
}

interface Setting {
  readonly flag: string;
  readonly environment: string;
  readonly description: string;
}

/** Every setting, with its flag and its variable. Flags win over variables, and both over what `enrol` kept. */
export const windowsSettings: Readonly<Record<keyof WindowsSettings, Setting>> = {
  isolation: {
    flag: '--isolation <kind>',
    environment: 'LOAM_ISOLATION',
    description:
      'process (default), hyperv, or process-or-hyperv: what the image needs, or the build asks for with its limits',
  },
  stepCpus: {
    flag: '--step-cpus <n>',
    environment: 'LOAM_STEP_CPUS',
    description: 'for each step whose build sets none, such as 1.5 (default: no limit)',
  },
  stepMemory: {
    flag: '--step-memory <size>',
    environment: 'LOAM_STEP_MEMORY',
    description: 'for each step whose build sets none, such as 4G (default: no limit)',
  },
  stepScratch: {
    flag: '--step-scratch <size>',
    environment: 'LOAM_STEP_SCRATCH',
    description: 'of the disk of each step whose build sets none (default: 20G, which is also the least)',
  },
  networkProvider: {
    flag: '--network-provider <kind>',
    environment: 'LOAM_NETWORK_PROVIDER',
    description: 'hcn (default): in this process; cni: by plugins; none: steps that want a network are refused',
  },
  natNetwork: {
    flag: '--nat-network <name>',
    environment: 'LOAM_NAT_NETWORK',
    description: 'NAT network of steps (default: the one that the host has, else a new one named nat)',
  },
  natSubnet: {
    flag: '--nat-subnet <cidr>',
    environment: 'LOAM_NAT_SUBNET',
    description: 'of a NAT network that has to be made (default: 172.20.0.0/16)',
  },
  dns: {
    flag: '--dns <addresses>',
    environment: 'LOAM_DNS',
    description: 'IPv4 addresses that steps ask for names, with commas (default: those of the host)',
  },
  cniConf: {
    flag: '--cni-conf <dir>',
    environment: 'LOAM_CNI_CONF',
    description:
      'of *.conflist files (default: %ProgramFiles%\\containerd\\cni\\conf; without one, made from the NAT network)',
  },
  cniBin: {
    flag: '--cni-bin <dir>',
    environment: 'LOAM_CNI_BIN',
    description: 'of CNI plugins (default: %ProgramFiles%\\containerd\\cni\\bin)',
  },
  secretsDir: {
    flag: '--secrets-dir <dir>',
    environment: 'LOAM_SECRETS_DIR',
    description: 'of its own, on NTFS, for secrets while a step runs (default: below --state)',
  },
};

export const windowsSettingNames = Object.keys(windowsSettings) as (keyof WindowsSettings)[];

/** Those of the settings that are given; an empty one is none. */
export function pickWindowsSettings(from: object): WindowsSettings {
  const given = from as WindowsSettings;
  return Object.fromEntries(windowsSettingNames.flatMap((name) => (given[name] ? [[name, given[name]]] : [])));
}

/** What the settings mean. Throws `agent.bad-argument`, which names the flag. */
export function readWindowsSettings(settings: WindowsSettings): HcsOptions {
  const { isolation, natNetwork, cniConf, cniBin, secretsDir } = settings;
  const network = {
    ...take('provider', oneOf('networkProvider', settings, ['hcn', 'cni', 'none'])),
    ...take('natNetwork', natNetwork),
    ...take('natSubnet', natSubnet(settings)),
    ...take('dnsServers', dnsServers(settings)),
    ...take('cniConfDirectory', cniConf),
    ...take('cniBinDirectory', cniBin),
  };
  const limits = {
    ...take('cpus', settings.stepCpus === undefined ? undefined : parseCpus(settings.stepCpus, '--step-cpus')),
    ...take('memoryBytes', size('stepMemory', settings)),
    ...take('scratchBytes', size('stepScratch', settings)),
  };
  return {
    ...(isolation !== undefined && {
      isolation: oneOf('isolation', settings, ['process', 'hyperv', 'process-or-hyperv']) ?? 'process',
    }),
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(Object.keys(network).length > 0 && { network }),
    ...take('secretsDirectory', secretsDir),
  };
}

function take<N extends string, T>(name: N, value: T | undefined): { [K in N]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { [K in N]?: T };
}

function size(name: 'stepMemory' | 'stepScratch', settings: WindowsSettings): number | undefined {
  const value = settings[name];
  return value === undefined ? undefined : parseMemory(value, flagOf(name));
}

function oneOf<const T extends string>(
  name: 'isolation' | 'networkProvider',
  settings: WindowsSettings,
  choices: readonly T[],
): T | undefined {
  const value = settings[name];
  const known = choices.find((choice) => choice === value);
  if (value !== undefined && known === undefined) throw bad(name, value, `write ${choices.join(', ')}`);
  return known;
}

const octet = String.raw`(?:25[0-5]|2[0-4]\d|1?\d?\d)`;
const address = new RegExp(String.raw`^${octet}(?:\.${octet}){3}$`);

function natSubnet({ natSubnet: value }: WindowsSettings): string | undefined {
  if (value === undefined) return undefined;
  const [prefix = '', bits = ''] = value.split('/');
  if (address.test(prefix) && /^(?:[89]|1\d|2\d)$/.test(bits)) return value;
  throw bad('natSubnet', value, 'write an IPv4 prefix of 8 to 29 bits, as in 172.20.0.0/16');
}

function dnsServers({ dns: value }: WindowsSettings): string[] | undefined {
  const servers = value?.split(',').map((each) => each.trim());
  const wrong = servers?.find((each) => !address.test(each));
  if (wrong !== undefined) throw bad('dns', value ?? '', `"${wrong}" is no IPv4 address`);
  return servers;
}

function flagOf(name: keyof WindowsSettings): string {
  return windowsSettings[name].flag.replace(/ .*/, '');
}

function bad(name: keyof WindowsSettings, value: string, reason: string): LoamError {
  return LoamError.of('agent.bad-argument', { option: flagOf(name), value, reason });
}
