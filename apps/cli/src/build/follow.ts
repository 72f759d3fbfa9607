import { LoamError, systemClock } from '@loam/base';
import type { Build, LiveRequest, Step } from '@loam/contracts';

import type { CliContext } from '../context.ts';
import { exitCodeOf, exitCodes } from '../exit-code.ts';
import { StatusLine } from '../output/status-line.ts';
import { BuildFollower, hasEnded, type FollowEvent } from './follower.ts';
import { stayConnected } from './live.ts';
import { untilFarmAnswers } from './until-farm-answers.ts';
import { createRenderer, describeRunning, summarize } from './renderer.ts';

export interface FollowOptions {
  readonly json?: boolean;
  readonly plainLog?: boolean;
  /** Ask the farm to cancel the build on Ctrl-C; without it Ctrl-C only leaves. */
  readonly cancelOnInterrupt: boolean;
}

/** How long the ends of logs may take after the end of their build, before they are fetched. */
const logEndGraceMs = 3_000;
/** Ctrl-C can arrive twice: from the terminal, and from a parent process that hands it on. */
const doubleInterruptMs = 400;

/** Shows a build until it ends. Gives the exit code that stands for it. */
export async function followBuild(cli: CliContext, buildId: string, options: FollowOptions): Promise<number> {
  const stop = new AbortController();
  const show = createShow(cli, options);
  let failure: unknown;
  let send: (request: LiveRequest) => void = () => undefined;
  let cancelGrace: (() => void) | undefined;
  const follower = new BuildFollower(
    buildId,
    (request) => send(request),
    (event) => show.event(event),
  );

  const fail = (error: unknown): void => {
    failure ??= error;
    stop.abort();
  };
  const removeInterrupt = onInterrupts(cli, options, buildId, fail);
  try {
    await stayConnected({
      farm: cli.farm(),
      clock: systemClock,
      signal: stop.signal,
      onConnected(sender) {
        send = sender;
        show.note('');
        follower.connected();
      },
      onFrame(frame) {
        if (frame.type === 'error' && frame.about === buildId) {
          fail(LoamError.fromPublic(frame));
          return;
        }
        follower.receive(frame);
        if (follower.finished) stop.abort();
        else if (follower.build && hasEnded(follower.build) && !cancelGrace) {
          cancelGrace = systemClock.after(logEndGraceMs, () => stop.abort());
        }
      },
      onLost: () => show.note('connection lost; trying again'),
    });
    if (failure !== undefined) throw failure;
    await fetchRest(cli, follower);
    const build = await untilFarmAnswers(systemClock, () => cli.client().build(buildId));
    show.summary(build);
    return exitCodeOf(build);
  } finally {
    cancelGrace?.();
    removeInterrupt();
    await show.end();
  }
}

/** What the socket did not bring of the logs of a build that has ended. */
async function fetchRest(cli: CliContext, follower: BuildFollower): Promise<void> {
  for (const { logId, offset } of follower.openLogs()) {
    follower.log(logId, offset, await untilFarmAnswers(systemClock, () => cli.client().log(logId, offset)));
    follower.endLog(logId);
  }
}

function onInterrupts(cli: CliContext, options: FollowOptions, buildId: string, fail: (error: unknown) => void) {
  let first: number | undefined;
  return cli.io.onInterrupt(() => {
    const now = systemClock.monotonic();
    if (first !== undefined && now - first < doubleInterruptMs) return;
    if (first !== undefined || !options.cancelOnInterrupt) {
      cli.io.exit(exitCodes.cancelled);
      return;
    }
    first = now;
    cli.io.err('\ncancelling; press Ctrl-C again to leave at once\n');
    cli.client().cancelBuild(buildId).catch(fail);
  });
}

/** Where events go: lines for people, or one JSON value a line. */
function createShow(cli: CliContext, options: FollowOptions) {
  const { io } = cli;
  const style = cli.style();
  const renderer = createRenderer({ style, columns: io.columns(), plain: options.plainLog === true });
  const steps = new Map<string, Step>();
  const status = new StatusLine(io, systemClock, () =>
    options.json ? '' : style.dim(describeRunning([...steps.values()], systemClock.now(), io.columns())),
  );
  let written = Promise.resolve();
  let noted = '';
  const write = (text: string): void => {
    if (text !== '') written = written.then(() => status.write(text));
  };
  return {
    event(event: FollowEvent): void {
      if (event.type === 'step' || event.type === 'progress') steps.set(event.step.position, event.step);
      write(options.json ? `${JSON.stringify(toJson(event))}\n` : renderer.render(event));
    },
    /** Tells of the connection, once. */
    note(text: string): void {
      if (text !== '' && text !== noted) io.err(`${style.dim(text)}\n`);
      noted = text;
    },
    summary(build: Build): void {
      const result = { type: 'result', state: build.state, exitCode: exitCodeOf(build), result: build.result };
      write(options.json ? `${JSON.stringify({ ...result, error: build.error })}\n` : summarize(build, style));
    },
    async end(): Promise<void> {
      await written;
      await status.end();
    },
  };
}

/** Bytes travel as base64: a piece of a log may end in the middle of a character. */
function toJson(event: FollowEvent): object {
  switch (event.type) {
    case 'log': {
      const { position, logId } = event.step;
      return { type: 'log', position, logId, offset: event.offset, data: Buffer.from(event.bytes).toString('base64') };
    }
    case 'log-end':
      return { type: 'log-end', position: event.step.position, logId: event.step.logId };
    default:
      return event;
  }
}
