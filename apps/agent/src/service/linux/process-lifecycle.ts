import { execFile } from 'node:child_process';

/** What `serve` takes. */
interface ProcessLifecycle {
  readonly stop: Promise<string>;
  readonly onStarted: () => void;
  readonly onStopping: () => void;
}

/** The life of a daemon that signals end, and whose start is awaited by systemd, if by anybody. */
export function processLifecycle(): ProcessLifecycle {
  const notify = systemdNotify();
  return { stop: stopSignal(), onStarted: () => notify('--ready'), onStopping: () => notify('STOPPING=1') };
}

/**
 * How to tell systemd what has become of this process (sd_notify(3)): by its own program, since Node has no sockets for
 * datagrams on paths. Programs that are started from here are not asked, and containerd would answer (systemd.exec(5)).
 */
function systemdNotify(): (word: string) => void {
  const { NOTIFY_SOCKET: socket } = process.env;
  delete process.env['NOTIFY_SOCKET'];
  if (socket === undefined) return () => undefined;
  return (word) => {
    execFile('systemd-notify', [word], { env: { ...process.env, NOTIFY_SOCKET: socket } }, (error, _, stderr) => {
      if (error !== null) process.emitWarning(`systemd was not told ${word}: ${stderr.trim() || error.message}`);
    });
  };
}

/** The first signal stops in order, a second one at once: what is left then is cleaned up at the next start. */
function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    let stopping = false;
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(name, () => {
        if (stopping) process.exit(1);
        stopping = true;
        resolve(name);
      });
    }
  });
}
