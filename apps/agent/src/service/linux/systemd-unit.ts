import { notConfigured } from '../../commands/exit-code.ts';
import type { ServiceDefinition } from '../service-manager.ts';

/** What a stop takes beside the time that running builds are given: last words to the farm, containerd's end. */
const stopSeconds = 50;
const defaultGraceMs = 10_000;

/** The unit of an agent (systemd.service(5)). infra/linux/loam-agent.service is made by it, too. */
export function systemdUnit(definition: Pick<ServiceDefinition, 'command' | 'stateDirectory' | 'graceMs'>): string {
  const { command, stateDirectory, graceMs = defaultGraceMs } = definition;
  return `[Unit]
Description=Loam build agent
After=network-online.target
Wants=network-online.target
# Never given up: whatever keeps the agent from starting may go by itself.
StartLimitIntervalSec=0

[Service]
# It is up when it says so, not as soon as there is a process: whoever starts it hears why it is not.
Type=notify
NotifyAccess=all
TimeoutStartSec=10min
Environment=${quoted(`LOAM_STATE=${stateDirectory}`)}
# glibc keeps an arena for each thread that ever copied a file; two are enough, and give memory back.
Environment=MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=65536
ExecStart=${command.map((argument) => quoted(argument).replaceAll('$', '$$$$')).join(' ')}
Restart=always
RestartSec=5
# Wrong arguments, and a host that is not enrolled: somebody has to look first.
RestartPreventExitStatus=2 ${notConfigured}
# A stop asks the agent alone, which ends its steps and its containerd in order. What is left when it has gone is killed,
# and the next life cleans up after that.
KillMode=mixed
TimeoutStopSec=${Math.ceil(graceMs / 1000) + stopSeconds}
Delegate=yes
LimitNOFILE=1048576
TasksMax=infinity
# When the host runs out of memory, steps go before the agent and its containerd.
OOMScoreAdjust=-500

# None of systemd's sandboxing: steps would be in it too, where sudo, mounts and other architectures have to work.

[Install]
WantedBy=multi-user.target
`;
}

/** One word as systemd reads it back: quotes, escapes, and `%`, which begins a specifier (systemd.syntax(7)). */
function quoted(word: string): string {
  const escaped = word.replaceAll('%', '%%');
  if (/^[\w@%+=:,./~-]+$/.test(escaped)) return escaped;
  return `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
