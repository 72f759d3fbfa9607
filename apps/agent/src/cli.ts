import { Command, CommanderError, Option } from 'commander';

import type { BuildOptions } from './commands/build.ts';
import type { CacheOptions, RemoveOptions } from './commands/cache.ts';
import type { DoctorOptions } from './commands/doctor.ts';
import type { EnrolOptions } from './commands/enrol.ts';
import { doctorExitCodeHelp, exitCodeHelp, exitCodeOfError } from './commands/exit-code.ts';
import type { HealthcheckOptions } from './commands/healthcheck.ts';
import type { ImportOptions } from './commands/import-image.ts';
import type { PlanOptions } from './commands/plan.ts';
import type { RunOptions } from './commands/run.ts';
import { defaultStateDirectory } from './config.ts';
import { printError } from './output/print-error.ts';
import { addServiceCommands } from './service/service-cli.ts';
import { agentVersion } from './version.ts';
import { windowsSettings } from './windows-settings.ts';

/** Runs the program and gives its exit code. Commands are loaded when they are called. */
export async function runCli(argv: readonly string[]): Promise<number> {
  let code = 0;
  /** Our clock does not keep the process alive while something waits on it. */
  const alive = setInterval(() => undefined, 2 ** 30);
  // Without a listener, a reader that has gone (`| head`) would end the process in the middle of its work.
  process.stdout.on('error', () => undefined);
  const program = createProgram((result) => (code = result));
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    printError(error, argv.includes('--json'));
    return exitCodeOfError(error);
  } finally {
    clearInterval(alive);
  }
}

function createProgram(done: (code: number) => void): Command {
  const program = new Command('loam-agent')
    .description('Builds on this host: for a farm (enrol, run), or by itself (build).')
    .version(agentVersion())
    .exitOverride()
    .hook('preAction', async (_, action) => {
      const { state } = action.opts<{ state?: string }>();
      if (state === undefined) return;
      const { trustAuthority } = await import('./farm/trust-authority.ts');
      trustAuthority(state);
    });
  const command = (parent: Command, usage: string, description: string): Command =>
    parent
      .command(usage)
      .description(description)
      .option('--state <dir>', "the agent's directory", process.env['LOAM_STATE'] ?? defaultStateDirectory());
  const onHost = (parent: Command, usage: string, description: string): Command =>
    withWindowsSettings(command(parent, usage, description))
      .option(
        '--containerd <address>',
        'socket of a containerd that runs already (default: a private one below --state)',
        process.env['LOAM_CONTAINERD'],
      )
      .option('--namespace <name>', "containerd's namespace", 'loam')
      .option('--keep-containerd', 'leave the private containerd running, so that the next command starts faster');

  onHost(program, 'run', 'work for the farm that this agent is enrolled with, until SIGTERM')
    .option('--private-containerd', 'use the private containerd even when LOAM_CONTAINERD is set')
    .option('--slots <n>', 'attempts at the same time (default: as enrolled)')
    .option('--url <url>', 'address of the farm (default: as enrolled)')
    .option(
      '--grace <time>',
      'how long running attempts may take to end at a stop; others are resumed at the next start',
      '10s',
    )
    .action(async ({ privateContainerd, containerd, ...options }: RunOptions & { privateContainerd?: boolean }) => {
      const { run } = await import('./commands/run.ts');
      done(await run({ ...options, ...(privateContainerd || containerd === undefined ? {} : { containerd }) }));
    });

  withWindowsSettings(command(program, 'enrol', 'make this host an agent of a farm'))
    .requiredOption('--url <url>', 'address of the farm')
    .option(
      '--token <token>',
      'one-time token, from the page of agents; it also decides the pool; - reads it from standard input (default: LOAM_ENROL_TOKEN)',
    )
    .option('--name <name>', 'what the farm calls this agent (default: the host name)')
    .option('--slots <n>', 'attempts at the same time', '2')
    .option('--force', 'leave the farm that this agent belongs to')
    .option('--json', 'print JSON')
    .action(async (options: EnrolOptions) => {
      const { enrol } = await import('./commands/enrol.ts');
      done(await enrol(options));
    });

  onHost(program, 'build <dir>', 'build a spec with the files of a directory, without a farm')
    .requiredOption('-f, --file <spec>', 'the spec; - is standard input')
    .option('--secret <id:file>', 'a secret that the spec names; may be repeated', collect, [])
    .option('--timeout <time>', 'for the whole build, such as 90s or 15m')
    .option('--memory <size>', 'for each step, such as 512M or 2G')
    .option('--cpus <n>', 'for each step, such as 1.5')
    .option('--refresh', 'look tags of base images up again')
    .option('--json', 'print events as lines of JSON')
    .option('-q, --quiet', 'print only the id of the result')
    .addHelpText('after', exitCodeHelp)
    .action(async (directory: string, options: BuildOptions) => {
      const { build } = await import('./commands/build.ts');
      done(await build(directory, options));
    });

  onHost(program, 'plan <dir>', 'what a build would do, without doing it')
    .requiredOption('-f, --file <spec>', 'the spec; - is standard input')
    .option('--refresh', 'look tags of base images up again')
    .option('--json', 'print JSON')
    .action(async (directory: string, options: PlanOptions) => {
      const { plan } = await import('./commands/plan.ts');
      done(await plan(directory, options));
    });

  onHost(program, 'doctor', 'look for whatever keeps builds from running on this host, or will')
    .option('--fix', 'put right what is safe: remove what this agent left behind, make the missing NAT network')
    .option('--only <id>', 'make this check only; may be repeated', collect, [])
    .option('--json', 'print JSON')
    .addHelpText('after', doctorExitCodeHelp)
    .action(async (options: DoctorOptions) => {
      const { doctor } = await import('./commands/doctor.ts');
      done(await doctor(options));
    });

  onHost(program, 'healthcheck', 'one process on one base image, from the registry to a snapshot, each phase timed')
    .option(
      '--image <name>',
      "base image (default: on Windows the Nano Server for the host's build, on Linux one made of this machine's busybox)",
    )
    .option('--network <kind>', 'give the process a network: none, host, nat', 'none')
    .option('--refresh', 'look the tag of the image up again')
    .option('--json', 'print JSON')
    .action(async (options: HealthcheckOptions) => {
      const { healthcheck } = await import('./commands/healthcheck.ts');
      done(await healthcheck(options));
    });

  const cache = program.command('cache').description('the snapshots that steps left');
  onHost(cache, 'ls', 'list them, each below the one that it stands on')
    .option('--json', 'print JSON')
    .action(async (options: CacheOptions) => {
      const { listCache } = await import('./commands/cache.ts');
      done(await listCache(options));
    });
  onHost(cache, 'rm <step...>', 'remove steps; ids may be cut short')
    .option('-r, --recursive', 'also what stands on them')
    .option('--dry-run', 'only show what would go')
    .option('--json', 'print JSON')
    .action(async (steps: string[], options: RemoveOptions) => {
      const { removeFromCache } = await import('./commands/cache.ts');
      done(await removeFromCache(steps, options));
    });

  const image = program.command('image').description('base images');
  onHost(image, 'import <file>', 'take in an OCI layout or `docker save` archive; - is standard input')
    .option('--name <name>', 'what it is called in (from …) (default: the name in the archive)')
    .option('--json', 'print JSON')
    .action(async (file: string, options: ImportOptions) => {
      const { importImage } = await import('./commands/import-image.ts');
      done(await importImage(file, options));
    });
  addServiceCommands(program, done);
  program
    .command('licenses')
    .description('of what the single executable is made of')
    .action(async () => {
      const { showLicenses } = await import('./commands/licenses.ts');
      done(showLicenses());
    });
  return program;
}

function withWindowsSettings(command: Command): Command {
  for (const { flag, environment, description } of Object.values(windowsSettings)) {
    command.addOption(new Option(flag, description).env(environment).helpGroup('Options on Windows:'));
  }
  return command;
}

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}
