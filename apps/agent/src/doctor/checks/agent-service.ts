import { defineCheck, ok, problem, skipped, warning, type Verdict } from '../check.ts';
import type { AgentPresence, DoctorHost } from '../doctor-host.ts';

export interface ServiceFacts {
  /** `running`, `stopped`, `failed`, … in the manager's words, or why there is none. */
  readonly state: string;
  readonly kind: 'running' | 'stopped' | 'failed' | 'absent' | 'no-manager';
  /** Since the service was started last by somebody. */
  readonly restarts?: number | undefined;
  readonly agent: AgentPresence['kind'];
}

const linuxService = 'loam-agent.service';
const windowsService = 'loam-agent';
const manyRestarts = 5;

export const agentService = defineCheck<ServiceFacts>({
  id: 'agent.service',
  title: 'Service of the agent',
  async gather(host) {
    const found = host.os === 'windows' ? await onWindows(host) : await onLinux(host);
    return { ...found, agent: host.agent.kind };
  },
  judge: judgeService,
});

async function onLinux(host: DoctorHost): Promise<Omit<ServiceFacts, 'agent'>> {
  const properties = ['LoadState', 'ActiveState', 'SubState', 'NRestarts', 'Result'];
  const output = await host
    .run('systemctl', ['show', linuxService, `--property=${properties.join(',')}`])
    .catch(() => undefined);
  if (output === undefined || output.code !== 0) return { state: 'systemd does not run here', kind: 'no-manager' };
  return parseSystemd(output.stdout);
}

export function parseSystemd(text: string): Omit<ServiceFacts, 'agent'> {
  const values = new Map(text.split('\n').map((line) => line.trim().split('=', 2) as [string, string]));
  const active = values.get('ActiveState') ?? '';
  const state = `${active} (${values.get('SubState') ?? ''}, last result ${values.get('Result') ?? 'none'})`;
  if (values.get('LoadState') === 'not-found') return { state: `there is no ${linuxService}`, kind: 'absent' };
  const restarts = Number(values.get('NRestarts') ?? 0);
  if (active === 'failed') return { state, kind: 'failed', restarts };
  const isRunning = active === 'active' || active === 'activating' || active === 'reloading';
  return { state, kind: isRunning ? 'running' : 'stopped', restarts };
}

async function onWindows(host: DoctorHost): Promise<Omit<ServiceFacts, 'agent'>> {
  return parseServiceControl(await host.run('sc.exe', ['query', windowsService]));
}

/** The names of states are constants of Windows; what stands around them may be translated. 1060: no such service. */
export function parseServiceControl({ code, stdout }: { code: number; stdout: string }): Omit<ServiceFacts, 'agent'> {
  const state = serviceState(stdout);
  if (code === 1060 || state === undefined) return { state: `there is no service ${windowsService}`, kind: 'absent' };
  return { state, kind: state === 'RUNNING' || state.endsWith('_PENDING') ? 'running' : 'stopped' };
}

/** `RUNNING`, `STOPPED`, …: what `sc.exe query` says; undefined when it knows no such service. */
export function serviceState(text: string): string | undefined {
  return /:\s*\d\s+(STOPPED|START_PENDING|STOP_PENDING|RUNNING|CONTINUE_PENDING|PAUSE_PENDING|PAUSED)\b/.exec(
    text,
  )?.[1];
}

export function judgeService({ state, kind, restarts = 0, agent }: ServiceFacts): Verdict {
  const elsewhere =
    agent === 'nobody' ? 'No agent uses this state directory now' : 'An agent uses this state directory';
  const seen = `The service is ${state}. ${elsewhere}.`;
  const install = 'Run `loam-agent service install`, so that it comes back after a restart of the host.';
  if (kind === 'failed') {
    return problem(
      seen,
      'It gave up: no builds run here.',
      'Look why: `journalctl -u loam-agent`; then `systemctl reset-failed loam-agent` and `systemctl start loam-agent`.',
    );
  }
  if (kind === 'absent' || kind === 'no-manager') {
    const why = kind === 'absent' ? 'There is no service for it' : 'Services are not managed by systemd here';
    const text = `${why}. ${elsewhere}.`;
    if (kind === 'no-manager') return skipped(text, 'Whoever started the agent starts it again.');
    return agent === 'nobody'
      ? warning(text, 'No builds run here.', install)
      : warning(text, 'Nobody starts it again after a restart of the host.', install);
  }
  if (kind === 'stopped') {
    return agent === 'nobody'
      ? warning(seen, 'No builds run here.', 'Run `loam-agent service start`.')
      : ok(seen, 'The agent was started in another way.');
  }
  if (restarts > manyRestarts) {
    const text = `${seen} It was started again ${restarts} times.`;
    return warning(text, 'Something ends it again and again.', 'Look why: `journalctl -u loam-agent`.');
  }
  return ok(seen, 'Builds run, and it comes back after a restart of the host.');
}
