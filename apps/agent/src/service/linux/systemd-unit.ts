import type { ServiceDefinition } from '../service-manager.ts';

/** The unit of an agent (systemd.service(5)). infra/linux/loam-agent.service is made by it, too. */
export function systemdUnit(definition: Pick<ServiceDefinition, 'command' | 'stateDirectory'>): string {
  return `[Unit]
Description=Loam build agent
Documentation=file:///opt/loam/docs/operating.md
After=network-online.target
Wants=network-online.target

[Service]
Environment=${quoted(`LOAM_STATE=${definition.stateDirectory}`)}
# glibc keeps an arena for each thread that ever copied a file; two are enough, and give memory back.
Environment=MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072
ExecStart=${definition.command.map((argument) => quoted(argument).replaceAll('$', '$$$$')).join(' ')}
Restart=always
RestartSec=2
# Steps are ended by the agent, or resumed by its next life; systemd must not shoot containerd's shims.
KillMode=process
TimeoutStopSec=60
Delegate=yes
LimitNOFILE=1048576
TasksMax=infinity

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
