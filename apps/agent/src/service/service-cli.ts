import type { Command } from 'commander';

import { defaultStateDirectory } from '../config.ts';
import { defaultServiceName } from './host-events.ts';
import type { ServiceRunOptions } from './run-service.ts';
import type { ServiceInstallOptions, ServiceOptions } from './service-command.ts';

/** Adds `loam-agent service …`. Commands are loaded when they are called. */
export function addServiceCommands(program: Command, done: (code: number) => void): void {
  const service = program.command('service').description('the agent as a service of this host (Windows, systemd)');
  const command = (verb: string, description: string): Command =>
    service
      .command(verb)
      .description(description)
      .option('--name <service>', 'of the service, when a host has several', defaultServiceName)
      .option('--json', 'print JSON');
  /** What `run` takes; install writes down what is given here, and nothing from the environment. */
  const withRunOptions = (parent: Command): Command =>
    parent
      .option('--state <dir>', "the agent's directory", defaultStateDirectory())
      .option('--containerd <address>', 'of a containerd that runs already')
      .option('--namespace <name>', "containerd's namespace (default: loam)")
      .option('--slots <n>', 'attempts at the same time (default: as enrolled)')
      .option('--url <url>', 'address of the farm (default: as enrolled)')
      .option('--grace <time>', 'how long running attempts may take to end at a stop (default: 10s)');

  withRunOptions(command('install', 'create the service, or change it to these options; does not start it')).action(
    async (options: ServiceInstallOptions) => {
      const { installService } = await import('./service-command.ts');
      done(await installService(options));
    },
  );
  command('uninstall', 'stop the service and take it away; its state directory stays').action(
    async (options: ServiceOptions) => {
      const { uninstallService } = await import('./service-command.ts');
      done(await uninstallService(options));
    },
  );
  for (const verb of ['start', 'stop'] as const) {
    command(verb, `${verb} the service, and wait until it has`).action(async (options: ServiceOptions) => {
      const { switchService } = await import('./service-command.ts');
      done(await switchService(verb, options));
    });
  }
  command('status', 'how it is; exit code 0 running, 3 not running, 4 not installed').action(
    async (options: ServiceOptions) => {
      const { showService } = await import('./service-command.ts');
      done(await showService(options));
    },
  );
  withRunOptions(command('run', 'what the service manager calls: the agent, until it is told to stop')).action(
    async ({
      namespace = 'loam',
      grace = '10s',
      ...options
    }: Partial<ServiceRunOptions> & ServiceOptions & { state: string }) => {
      const { runService } = await import('./run-service.ts');
      done(await runService({ ...options, namespace, grace }));
    },
  );
}
