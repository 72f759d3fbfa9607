import { defineErrors } from './define.ts';

export const agentErrors = defineErrors({
  'agent.journal-full': {
    status: 507,
    message: 'The disk of the agent is full: what the build does cannot be written down in {directory}.',
    remedy: 'Free space on the agent (`loam-agent cache ls` shows what the cache takes), then build again.',
  },
  'agent.bad-offer': {
    status: 502,
    message: 'The farm offered work with a {what} that makes no sense.',
    remedy: 'Check that agent and farm have the same version.',
  },
  'agent.not-enrolled': {
    status: 409,
    message: 'This agent belongs to no farm: there is no {file}.',
    remedy: "Get a line to paste from the farm's page of agents: `loam-agent enrol --url … --token …`.",
  },
  'agent.config-invalid': {
    status: 409,
    message: '{file} cannot be used: {reason}.',
    remedy: 'Enrol the agent again with `loam-agent enrol --url … --token …`.',
  },
  'agent.registries-invalid': {
    status: 409,
    message: '{file} cannot be used: {reason}.',
    remedy: 'Mend it; docs/operating.md shows, under "Registries", what may stand in it.',
  },
  'agent.already-enrolled': {
    status: 409,
    message: 'This agent belongs to the farm at {url} already.',
    remedy: 'Give --force to make it another one, or --state DIR to have a second agent on this host.',
  },
  'agent.context-damaged': {
    status: 502,
    message: 'The farm sent {what} with bytes that do not match their digest.',
    remedy: 'Build again; if it stays, the store of the farm or a proxy on the way is broken.',
  },
  'agent.needs-root': {
    status: 403,
    message: 'loam-agent has to run as root.',
    remedy: 'Run it with sudo, or as a service.',
  },
  'agent.containerd-missing': {
    status: 409,
    message: 'Missing on this host: {programs}.',
    remedy:
      'Install them: apt-get install containerd runc (Debian), or give the address of a containerd with --containerd.',
  },
  'agent.containerd-not-started': {
    status: 500,
    message: 'The private containerd did not start: {reason} (its log: {log}).',
    remedy: 'Look into its log; a full disk and a file system without overlay support are the usual reasons.',
  },
  'agent.file-unreadable': {
    status: 422,
    message: '{file} cannot be read: {reason}.',
    remedy: 'Check the path and who may read it.',
  },
  'agent.bad-argument': {
    status: 422,
    message: '{option} cannot be "{value}": {reason}.',
    remedy: 'See --help of the command.',
  },
  'agent.spec-invalid': {
    status: 422,
    message: 'The spec {file} is wrong; errors: {count}.',
    remedy: 'Mend them; each is shown with its place.',
  },
  'agent.protocol-mismatch': {
    status: 409,
    message: 'The agent speaks version {agent} of the protocol and the farm version {farm}.',
    remedy: 'Bring the older of the two to the version of the other.',
  },
  'agent.native-unavailable': {
    status: 500,
    message: 'The part of the agent that speaks to the host cannot be loaded: {reason}.',
    remedy: 'Put the executable into a directory of its own that administrators can write, and run it once as one.',
  },
  'agent.state-unprotected': {
    status: 500,
    message: 'The state directory {directory} cannot be closed to others: {reason}.',
    remedy: 'Run the command as an administrator; `icacls` shows who owns the directory and who may use it.',
  },
  'agent.service-unknown': {
    status: 404,
    message: 'There is no service {name} on this host.',
    remedy: 'Install it with `loam-agent service install`, or name it with --name.',
  },
  'agent.service-refused': {
    status: 500,
    message: 'The service {name}: {reason}.',
    remedy:
      'Run the command as an administrator (Windows) or as root (Linux); `loam-agent service status` shows how it is.',
  },
  'agent.service-not-started': {
    status: 500,
    message: 'The service {name} did not start: {reason}.',
    remedy:
      'Look into its log: the directory service-log below the state directory on Windows, `journalctl -u` on Linux. An agent that is not enrolled does not start.',
  },
  'agent.service-only-by-manager': {
    status: 409,
    message: '`service run` is what the service manager of Windows calls.',
    remedy: 'Start the service with `loam-agent service start`, or the agent in a console with `loam-agent run`.',
  },
});
