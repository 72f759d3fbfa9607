/** The shapes of what is kept as jsonb. They are values, never joined over. */

/** What a user may see of an error. */
export interface ErrorJson {
  code: string;
  message: string;
  remedy: string;
}

/** A step as the spec has it, before anything ran. */
export interface PlannedStepJson {
  position: string;
  stage: string[];
  kind: StepKindText;
  op: string;
}

export type StepKindText = 'from' | 'run' | 'copy';

export type StepExitJson =
  | { kind: 'exited'; code: number; meaning?: string }
  | { kind: 'signalled'; signal: number }
  | { kind: 'out-of-memory' }
  | { kind: 'timed-out' };

export interface PhaseTimeJson {
  phase: string;
  durationMs: number;
}

export interface LimitsJson {
  cpus?: number;
  memoryBytes?: number;
  scratchBytes?: number;
  isolation?: 'process' | 'hyperv';
}

/** What an agent's doctor found, when `at`. */
export interface DoctorReportJson {
  at: number;
  durationMs: number;
  version: string;
  platform: string;
  findings: {
    id: string;
    title: string;
    status: 'ok' | 'warning' | 'problem' | 'skipped' | 'unknown';
    evidence: string;
    meaning: string;
    remedy: string | null;
    fixable: boolean;
  }[];
}

export interface AgentFactsJson {
  version: string;
  hostname: string;
  platform: string;
  containerd: string;
  cpus: number;
  memoryBytes: number;
  diskTotalBytes: number;
  diskFreeBytes: number;
}
