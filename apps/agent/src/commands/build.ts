import type { RunExit } from '@loam/backend';

import { openHost } from '../host.ts';
import { jsonPrinter, quietPrinter, textPrinter, type BuildPrinter } from '../output/build-printer.ts';
import { styleFor, wantsColour } from '../output/style.ts';
import { printError } from '../output/print-error.ts';
import { projectContext } from '../project-context.ts';
import { parseCpus, parseDuration, parseMemory } from '../quantities.ts';
import { exitCodeOf } from './exit-code.ts';
import { interruptSignal } from './interrupt.ts';
import { hostOptions, readSecret, readSpec, type CommonOptions } from './options.ts';

export interface BuildOptions extends CommonOptions {
  readonly file: string;
  readonly secret: readonly string[];
  readonly timeout?: string;
  readonly memory?: string;
  readonly cpus?: string;
  readonly refresh?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `loam-agent build`: builds on this machine, without a farm. Gives the exit code. */
export async function build(directory: string, options: BuildOptions): Promise<number> {
  const spec = readSpec(options.file);
  const secrets = new Map(options.secret.map(readSecret));
  const limits = {
    ...(options.cpus === undefined ? {} : { cpus: parseCpus(options.cpus) }),
    ...(options.memory === undefined ? {} : { memoryBytes: parseMemory(options.memory) }),
  };
  const timeout = options.timeout === undefined ? {} : { timeoutMs: parseDuration(options.timeout) };
  const { signal, dispose } = interruptSignal();
  const host = await openHost(hostOptions(options));
  try {
    const printer = choosePrinter(options);
    const exits = new Map<string, RunExit>();
    const startedAt = performance.now();
    const outcome = await host.engine.build(
      {
        spec,
        context: projectContext(directory, host.stateDirectory),
        secrets,
        limits,
        ...timeout,
        refresh: options.refresh ?? false,
        owner: `local-${process.pid}`,
      },
      (event) => {
        if (event.type === 'step-ended' && event.exit) exits.set(event.position, event.exit);
        printer.onEvent(event);
      },
      signal,
    );
    printer.onOutcome(outcome, performance.now() - startedAt);
    if (outcome.kind === 'failed') printError(outcome.error, options.json ?? false);
    return exitCodeOf(outcome, outcome.kind === 'failed' ? exits.get(outcome.position) : undefined);
  } finally {
    await host.close();
    dispose();
  }
}

function choosePrinter(options: BuildOptions): BuildPrinter {
  if (options.json) return jsonPrinter(print);
  if (options.quiet) return quietPrinter(print);
  return textPrinter(print, styleFor(wantsColour(process.stdout)));
}

function print(part: string | Uint8Array): void {
  process.stdout.write(part);
}
