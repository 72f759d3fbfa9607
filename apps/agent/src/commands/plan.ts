import { openHost } from '../host.ts';
import { styleFor, wantsColour } from '../output/style.ts';
import { projectContext } from '../project-context.ts';
import { hostOptions, readSpec, type CommonOptions } from './options.ts';

export interface PlanOptions extends CommonOptions {
  readonly file: string;
  readonly refresh?: boolean;
  readonly json?: boolean;
}

/** `loam-agent plan`: what a build would do here, without doing it. */
export async function plan(directory: string, options: PlanOptions): Promise<number> {
  const spec = readSpec(options.file);
  const host = await openHost(hostOptions(options));
  try {
    const context = projectContext(directory, host.stateDirectory);
    const { steps } = await host.engine.plan(spec, { context, refresh: options.refresh ?? false });
    if (options.json) {
      process.stdout.write(`${JSON.stringify({ steps })}\n`);
      return 0;
    }
    const style = styleFor(wantsColour(process.stdout));
    for (const step of steps) {
      const state = step.needed ? step.state : 'not needed';
      const shown = step.state === 'hit' ? style.green(state.padEnd(10)) : style.bold(state.padEnd(10));
      const id = (step.stepId ?? '').slice(0, 12).padEnd(12);
      const reason = step.reason === undefined ? '' : style.dim(`  ${step.reason}`);
      process.stdout.write(`${shown} ${id} [${step.position}] ${step.op}${reason}\n`);
    }
    return 0;
  } finally {
    await host.close();
  }
}
