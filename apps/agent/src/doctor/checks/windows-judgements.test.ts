import type { Verdict } from '../check.ts';
import { describe, expect, it } from 'vitest';

import { judgeService, parseServiceControl, serviceState } from './agent-service.ts';
import { judgeCni, parseConf } from './cni-conf.ts';
import { judgeContainerd } from './containerd-reachable.ts';
import { judgePlugins } from './containerd-snapshotter.ts';
import { judgeDefender, parseDefender } from './defender.ts';
import { judgeDisk } from './disk-space.ts';
import { judgeImages } from './image-builds.ts';
import { judgeLeftoverLayers } from './leftover-layers.ts';
import { hostNetworks, judgeNetworks } from './nat-network.ts';
import { judgeState, parseSddl } from './state-directory.ts';
import { judgeBuild, judgeLongPaths, judgeServices, parseLongPaths } from './windows-host.ts';

// The inputs are those that the reference records (section in each name). Nobody has seen them on a Windows host.

/** Status, and the parts that a reader acts on. */
const brief = ({ status, evidence, remedy }: Verdict): string[] => [
  status,
  evidence,
  ...(remedy === null ? [] : [remedy]),
];

describe('containerd on Windows', () => {
  const at = String.raw`\\.\pipe\containerd-containerd`;
  it('§1.14: 1.7.7 is the floor, 2.x is preferred', () => {
    const judge = (version: string): string => judgeContainerd({ address: at, version }, 'windows').status;
    expect(['v1.6.39', 'v1.7.6', 'v1.7.7', 'v1.7.34', 'v2.0.11', 'v2.4.0-beta.0', 'who knows'].map(judge)).toEqual([
      'problem',
      'problem',
      'warning',
      'warning',
      'ok',
      'ok',
      'warning',
    ]);
  });

  it('§10 #5: a service that is stopped is told with its log', () => {
    const failure = { code: 'containerd.unavailable', message: 'containerd does not answer.', remedy: 'x' } as const;
    expect(brief(judgeContainerd({ failure }, 'windows'))).toEqual([
      'problem',
      'containerd does not answer.',
      'Run `Get-Service containerd` and start it; then look into its log and its panic.log.',
    ]);
  });

  it('§3.1, §10 #23: a root on ReFS is to be moved', () => {
    const plugins = [
      {
        type: 'io.containerd.snapshotter.v1',
        id: 'windows',
        initError: String.raw`D:\containerd is not on an NTFS volume - only NTFS volumes are supported`,
      },
      { type: 'io.containerd.differ.v1', id: 'windows', initError: undefined },
    ];
    expect(brief(judgePlugins(plugins, 'windows'))).toEqual([
      'problem',
      String.raw`the snapshotter "windows" says: D:\containerd is not on an NTFS volume - only NTFS volumes are supported.`,
      "Move `root` in containerd's config.toml to a local NTFS volume; ReFS and Dev Drive will not do.",
    ]);
    expect(judgePlugins(plugins.slice(1), 'windows').evidence).toContain('there is no snapshotter "windows"');
  });

  it('§3.2, §10 #15: rm-* that stays is shown and left alone', () => {
    const directory = String.raw`C:\ProgramData\containerd\root\io.containerd.snapshotter.v1.windows\snapshots`;
    const verdict = judgeLeftoverLayers(directory, ['rm-12', 'rm-40']);
    expect([verdict.status, verdict.evidence, verdict.fixable]).toEqual([
      'warning',
      `2 in ${directory}: rm-12, rm-40.`,
      false,
    ]);
    expect(judgeLeftoverLayers(directory, []).status).toBe('ok');
  });

  it('§3.2: a step is on the disk twice, so Windows wants more room', () => {
    const facts = { directory: 'C:\\x', totalBytes: 100 * 2 ** 30, freeBytes: 30 * 2 ** 30 };
    expect([judgeDisk(facts, 'snapshots', 'windows').status, judgeDisk(facts, 'snapshots', 'linux').status]).toEqual([
      'warning',
      'ok',
    ]);
    expect(judgeDisk({ ...facts, freeBytes: 2 ** 30 }, 'snapshots', 'windows').status).toBe('problem');
  });
});

describe('the host', () => {
  it('§6.2: Server 2019 is the oldest build', () => {
    const judge = (osVersion: string): string => judgeBuild({ osVersion, architecture: 'x64' }).status;
    expect(['10.0.14393', '10.0.17763', '10.0.20348', 'x'].map(judge)).toEqual(['problem', 'ok', 'ok', 'unknown']);
  });

  it('§9.6: a value that is not there is off', () => {
    const answer =
      '\r\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\FileSystem\r\n    LongPathsEnabled    REG_DWORD    0x1\r\n\r\n';
    expect([parseLongPaths(0, answer), parseLongPaths(0, answer.replace('0x1', '0x0')), parseLongPaths(1, '')]).toEqual(
      [true, false, false],
    );
    // The command ends the sentence: the farm's page offers it to be copied.
    expect(judgeLongPaths(false).remedy).toMatch(
      /Run: reg\.exe add HKLM\S+ \/v LongPathsEnabled \/t REG_DWORD \/d 1 \/f$/,
    );
    expect(judgeLongPaths(parseLongPaths(5, '')).status).toBe('unknown');
  });

  it('§10: without the feature Containers there is no vmcompute', () => {
    const running =
      '\r\nSERVICE_NAME: hns \r\n        TYPE               : 30  WIN32  \r\n        STATE              : 4  RUNNING \r\n                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)\r\n';
    expect(serviceState(running)).toBe('RUNNING');
    expect(serviceState('[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n')).toBeUndefined();
    const judge = (vmcompute: string | undefined): string =>
      judgeServices([
        { name: 'vmcompute', state: vmcompute },
        { name: 'hns', state: 'RUNNING' },
      ]).status;
    expect([judge('RUNNING'), judge('STOPPED'), judge(undefined)]).toEqual(['ok', 'warning', 'problem']);
  });

  it('§9.2: a service that does not run, or is not there, is told', () => {
    const of = (code: number, stdout: string, agent: 'nobody' | 'another'): string =>
      judgeService({ ...parseServiceControl({ code, stdout }), agent }).status;
    const stopped = '        STATE              : 1  STOPPED \r\n';
    expect([of(0, stopped, 'nobody'), of(0, stopped, 'another'), of(1060, '', 'nobody')]).toEqual([
      'warning',
      'ok',
      'warning',
    ]);
    expect(of(0, stopped.replace('1  STOPPED', '4  RUNNING'), 'another')).toBe('ok');
  });

  it('lets nobody but administrators read the credential: Windows takes no mode', () => {
    const facts = { directory: 'C:\\ProgramData\\Loam', exists: true, files: [] };
    const inherited = 'O:BAG:SYD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)(A;CIID;DCLCRPCR;;;BU)';
    const closed = 'O:BAG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)';
    const open = judgeState({ ...facts, sddl: inherited }, 'windows');
    expect([open.status, open.remedy]).toEqual([
      'warning',
      'Run: icacls "C:\\ProgramData\\Loam" "/setowner" "*S-1-5-32-544" "/Q"; ' +
        'icacls "C:\\ProgramData\\Loam" "/inheritance:r" "/grant:r" "*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F" "/Q"; ' +
        'icacls "C:\\ProgramData\\Loam" "/remove:g" "*S-1-1-0" "*S-1-5-32-545" "*S-1-5-11" "*S-1-3-0" "/Q"',
    ]);
    expect(open.evidence).toContain('(A;OICIID;0x1200a9;;;BU)');
    expect(judgeState({ ...facts, sddl: closed }, 'windows').status).toBe('ok');
    expect(judgeState(facts, 'windows').status).toBe('unknown');
    // Wine's powershell.exe says nothing and ends with 0.
    expect([parseSddl(0, ''), parseSddl(1, closed), parseSddl(0, `${closed}\r\n`)]).toEqual([
      undefined,
      undefined,
      closed,
    ]);
  });

  it('§7.3: images of another build than the host are named with the tags that fit', () => {
    const image = (name: string, osVersion: string) => ({ name, platform: 'windows/amd64', osVersion });
    const images = [
      image('mcr.microsoft.com/windows/nanoserver:ltsc2022', '10.0.20348.2700'),
      image('mcr.microsoft.com/windows/servercore:ltsc2019', '10.0.17763.6414'),
    ];
    const verdict = judgeImages({ hostVersion: '10.0.26100', policy: 'process', images });
    expect(brief(verdict).slice(0, 2)).toEqual([
      'warning',
      'Windows build 26100 (it runs builds 20348 to 26100: ltsc2022, 23H2, ltsc2025). These base images are for another: mcr.microsoft.com/windows/servercore:ltsc2019 (10.0.17763.6414).',
    ]);
    expect(judgeImages({ hostVersion: '10.0.26100', policy: 'process-or-hyperv', images }).status).toBe('ok');
    expect(judgeImages({ hostVersion: '10.0.17763', policy: 'process', images: images.slice(1) }).status).toBe('ok');
    expect(judgeImages({ hostVersion: '10.0.17763', policy: 'process', images: [] }).status).toBe('skipped');
  });
});

describe('Defender (§9.5)', () => {
  const paths = ['C:\\ProgramData\\containerd\\root', 'C:\\ProgramData\\Loam'];
  const processes = ['containerd.exe', 'containerd-shim-runhcs-v1.exe'];
  const told = (answer: object) =>
    judgeDefender({
      defender: parseDefender({ code: 0, stdout: JSON.stringify(answer), stderr: '' }),
      paths,
      processes,
    });

  it('that scans snapshots is told with the command, which is not run', () => {
    const verdict = told({
      realTime: true,
      paths: ['c:\\programdata\\LOAM\\'],
      processes: ['C:\\Program Files\\containerd\\containerd.exe'],
    });
    expect(brief(verdict)).toEqual([
      'warning',
      'Real-time protection is on; not excluded are C:\\ProgramData\\containerd\\root, containerd-shim-runhcs-v1.exe.',
      "If your rules allow it, run in an elevated PowerShell: Add-MpPreference -ExclusionPath 'C:\\ProgramData\\containerd\\root' -ExclusionProcess 'containerd-shim-runhcs-v1.exe'",
    ]);
    expect(verdict.fixable).toBe(false);
  });

  it('that leaves them alone is in order, also by a directory above and a variable', () => {
    expect(told({ realTime: true, paths: ['%ProgramData%'], processes }).status).toBe('ok');
    expect(told({ realTime: false, paths: [], processes: [] }).status).toBe('ok');
  });

  it('whose exclusions may not be seen, or that is not there, is unknown', () => {
    const hidden = 'N/A: Must be an administrator to view exclusions';
    expect(told({ realTime: true, paths: [hidden], processes: [hidden] }).status).toBe('unknown');
    const absent = parseDefender({ code: 3, stdout: '', stderr: '' });
    expect(judgeDefender({ defender: absent, paths, processes }).status).toBe('unknown');
    expect(() => parseDefender({ code: 1, stdout: '', stderr: 'Access denied' })).toThrow('Access denied');
  });
});

describe('networks', () => {
  const natDocument = {
    Name: 'nat',
    Type: 'NAT',
    Ipams: [
      {
        Type: 'Static',
        Subnets: [
          {
            IpAddressPrefix: '172.20.0.0/16',
            Routes: [{ NextHop: '172.20.0.1', DestinationPrefix: '0.0.0.0/0' }],
          },
        ],
      },
    ],
  };
  const read = (...documents: object[]) =>
    hostNetworks({
      enumerate: async () => documents.map((_, index) => String(index)),
      query: async (_: string, id: string) => documents[Number(id)] ?? {},
    } as never);

  it('§6.2: one NAT network with subnet and default route is sane, also when Type is missing', async () => {
    expect(judgeNetworks({ networks: await read(natDocument) }).status).toBe('ok');
    const { Type: _, ...untyped } = natDocument;
    expect(judgeNetworks({ networks: await read(untyped) }).status).toBe('ok');
  });

  it('§6.4: Server 2019 has none, which can be put right', async () => {
    const verdict = judgeNetworks({ networks: await read({ Name: 'Default Switch', Type: 'ICS' }) });
    expect([verdict.status, verdict.fixable]).toEqual(['warning', true]);
  });

  it('§6.4: a second NAT network, or one without a way out, is told', async () => {
    expect(judgeNetworks({ networks: await read(natDocument, { ...natDocument, Name: 'other' }) }).evidence).toContain(
      '2 of them are NAT networks',
    );
    expect(judgeNetworks({ networks: await read({ Name: 'nat', Type: 'NAT' }) }).evidence).toContain('no subnet');
  });

  it('no network service is a problem; no network by choice is not', () => {
    expect(judgeNetworks({ failure: 'cannot', remedy: 'do' }).status).toBe('problem');
    expect(judgeNetworks({ networks: undefined }).status).toBe('skipped');
  });

  const conf = (ipam: object, name = 'nat'): string => JSON.stringify({ cniVersion: '1.0.0', name, type: 'nat', ipam });
  const file = 'C:\\Program Files\\containerd\\cni\\conf\\0-nat.conf';
  const judge = async (text: string, isUsed = false): Promise<Verdict> =>
    judgeCni({ isUsed, file, conf: parseConf(text), nat: (await read(natDocument))[0] });

  it('§6.3: the configuration that the reference gives agrees', async () => {
    const right = conf({ subnet: '172.20.0.0/16', routes: [{ GW: '172.20.0.1' }] });
    expect((await judge(right)).status).toBe('ok');
    const list = JSON.stringify({ name: 'nat', plugins: [JSON.parse(right)] });
    expect((await judge(list)).status).toBe('ok');
  });

  it('§6.3, §6.4, §10 #29: another subnet, another name and the key that nobody reads are told with what to write', async () => {
    const stale = await judge(conf({ subnet: '172.28.0.0/16', routes: [{ gateway: '172.28.0.1' }] }, 'loam'));
    expect(brief(stale)).toEqual([
      'warning',
      `${file}: it names the network "loam", the host's is "nat"; its subnet is 172.28.0.0/16, the network's 172.20.0.0/16; it writes "gateway", which the plugin does not read: GW.`,
      'Write "name": "nat" and "ipam": {"subnet":"172.20.0.0/16","routes":[{"GW":"172.20.0.1"}]} into it.',
    ]);
    expect((await judge(conf({ routes: [{ GW: '172.20.0.9' }] }))).evidence).toContain('its gateway is 172.20.0.9');
    expect((await judge('\uFEFF{')).status).toBe('warning');
  });

  it('§10 #25: a missing one is a problem only for an agent that is told to use it', () => {
    expect(judgeCni({ isUsed: false, nat: undefined }).status).toBe('skipped');
    expect(judgeCni({ isUsed: true, nat: undefined }).status).toBe('problem');
  });
});
