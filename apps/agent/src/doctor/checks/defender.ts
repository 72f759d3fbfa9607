import { win32 } from 'node:path';

import { defineCheck, ok, unknown, warning, type Verdict } from '../check.ts';

/** What Defender told; undefined when this Windows has none. */
interface DefenderAnswer {
  readonly realTime: boolean | null;
  readonly paths: readonly string[];
  readonly processes: readonly string[];
}

export interface DefenderFacts {
  readonly defender: DefenderAnswer | undefined;
  /** Directories that ought to be excluded. */
  readonly paths: readonly string[];
  /** Programs that ought to be excluded. */
  readonly processes: readonly string[];
}

/** Fixed: nothing of ours is put into it. Source of the cmdlets and fields: Microsoft Learn, module Defender. */
const script = [
  "$ErrorActionPreference = 'Stop'",
  'if (-not (Get-Command Get-MpPreference -ErrorAction SilentlyContinue)) { exit 3 }',
  '$p = Get-MpPreference',
  '$s = Get-MpComputerStatus',
  '@{ realTime = $s.RealTimeProtectionEnabled; paths = @($p.ExclusionPath | ? { $_ }); processes = @($p.ExclusionProcess | ? { $_ }) } | ConvertTo-Json -Compress',
].join('; ');

/** Snapshots are scanned file by file otherwise, and scanners hold disks of layers (reference §9.5, §10 #13–#15). */
export const defenderExclusions = defineCheck<DefenderFacts>({
  id: 'windows.defender',
  title: 'Antivirus',
  only: 'windows',
  timeLimitMs: 40_000,
  async gather(host) {
    // <root>\io.containerd.snapshotter.v1.windows\snapshots
    const root = win32.dirname(win32.dirname(await host.snapshotDirectory()));
    const output = await host.run('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', script]);
    return {
      defender: parseDefender(output),
      // Narrow: what the agent itself opens goes with its program (install.ps1 excludes the same).
      paths: [root],
      processes: ['containerd.exe', 'containerd-shim-runhcs-v1.exe', win32.basename(process.execPath)],
    };
  },
  judge: judgeDefender,
});

export function parseDefender({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) {
  if (code === 3) return undefined;
  if (code !== 0) throw new Error(`Get-MpPreference failed: ${stderr.trim() || code}`);
  const answer = JSON.parse(stdout) as Partial<DefenderAnswer>;
  return { realTime: answer.realTime ?? null, paths: answer.paths ?? [], processes: answer.processes ?? [] };
}

export function judgeDefender({ defender, paths, processes }: DefenderFacts): Verdict {
  if (defender === undefined) {
    return unknown(
      'There is no Microsoft Defender here.',
      'Another antivirus may scan; `fltmc` lists its filter drivers.',
    );
  }
  if (defender.realTime === false) return ok('Real-time protection is off.', 'Nothing scans while steps run.');
  // What Windows answers to who may not see exclusions.
  if ([...defender.paths, ...defender.processes].some((text) => /^N\/A\b/i.test(text))) {
    return unknown(
      'Only an administrator may see the exclusions.',
      'Snapshots may be scanned file by file.',
      'Run the doctor elevated.',
    );
  }
  const isExcluded = (path: string): boolean => defender.paths.some((one) => covers(expand(one), path));
  const names = new Set(defender.processes.map((one) => win32.basename(one).toLowerCase()));
  const openPaths = paths.filter((path) => !isExcluded(path));
  const openProcesses = processes.filter((name) => !names.has(name.toLowerCase()));
  if (openPaths.length === 0 && openProcesses.length === 0) {
    return ok(`Excluded are ${[...paths, ...processes].join(', ')}.`, 'Snapshots are not scanned file by file.');
  }
  const command = [
    'Add-MpPreference',
    ...(openPaths.length > 0 ? [`-ExclusionPath ${quoted(openPaths)}`] : []),
    ...(openProcesses.length > 0 ? [`-ExclusionProcess ${quoted(openProcesses)}`] : []),
  ].join(' ');
  return warning(
    `Real-time protection is on; not excluded are ${[...openPaths, ...openProcesses].join(', ')}.`,
    'Steps are slow, and a scanner that holds the disk of a layer makes commits and removals fail.',
    `If your rules allow it, run in an elevated PowerShell: ${command}`,
  );
}

/** An exclusion of a directory is one of all below it. */
function covers(exclusion: string, path: string): boolean {
  const upper = exclusion.replace(/[\\/*]+$/, '').toLowerCase();
  const lower = path.toLowerCase();
  return upper !== '' && (lower === upper || lower.startsWith(`${upper}\\`));
}

function expand(path: string): string {
  const usual: Record<string, string> = { programdata: 'C:\\ProgramData', systemdrive: 'C:' };
  return path.replace(/%([^%]+)%/g, (whole, name: string) => process.env[name] ?? usual[name.toLowerCase()] ?? whole);
}

function quoted(items: readonly string[]): string {
  return items.map((item) => `'${item.replaceAll("'", "''")}'`).join(', ');
}
