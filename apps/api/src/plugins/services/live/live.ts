import { isLoamError, LoamError, toLoamError, type Clock } from '@loam/base';
import { LiveRequest, type Agent, type Build, type BuildSummary, type LiveFrame } from '@loam/contracts';
import type { Database } from '@loam/db';
import type { LogStore } from '@loam/logs';
import type { FastifyBaseLogger } from 'fastify';
import { Compile } from 'typebox/compile';
import type { WebSocket } from 'ws';

import type { Bus } from '../bus.ts';
import { textOf } from '../socket-text.ts';
import { BuildFeed } from './build-feed.ts';
import { followLog } from './follow-log.ts';
import { Outbox } from './outbox.ts';

const validRequest = Compile(LiveRequest);

/** What viewers are shown, already presented. */
export interface LiveSource {
  build(id: string): Promise<Build | undefined>;
  summary(id: string): Promise<BuildSummary | undefined>;
  recent(): Promise<BuildSummary[]>;
  agent(id: string): Promise<Agent | undefined>;
  agents(): Promise<Agent[]>;
}

export interface LiveParts {
  readonly db: Database;
  readonly logs: LogStore;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly source: LiveSource;
  readonly log: FastifyBaseLogger;
}

interface Viewer {
  readonly outbox: Outbox;
  /** What it watches, and how to stop that. */
  readonly watches: Map<string, () => void>;
}

/** A change of many things at once is gathered for so long before lists are told. */
const gatherMs = 100;
const pingEveryMs = 30_000;
const watchesMax = 256;

/** The viewers of this process. */
export class Live {
  readonly #parts: LiveParts;
  readonly #feeds = new Map<string, BuildFeed>();
  readonly #listViewers = new Set<Viewer>();
  readonly #agentViewers = new Set<Viewer>();
  readonly #sockets = new Set<WebSocket>();
  readonly #changed = { builds: new Set<string>(), agents: new Set<string>() };
  #isGathering = false;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    parts.bus.subscribe('build', ({ id, ended }) => {
      this.#feeds.get(id)?.touch(ended);
      if (this.#listViewers.size > 0) this.#gather(this.#changed.builds, id);
    });
    parts.bus.subscribe('agent', ({ id }) => {
      for (const feed of this.#feeds.values()) if (feed.isQueued) feed.touch();
      if (this.#agentViewers.size > 0) this.#gather(this.#changed.agents, id);
    });
    parts.bus.onGap(() => {
      for (const feed of this.#feeds.values()) feed.touch();
    });
  }

  get size(): number {
    return this.#sockets.size;
  }

  attach(socket: WebSocket): void {
    const viewer: Viewer = { outbox: new Outbox(socket), watches: new Map() };
    this.#sockets.add(socket);
    let turn: Promise<void> = Promise.resolve();
    socket.on('message', (data, isBinary) => {
      turn = turn.then(async () => {
        try {
          await this.#handle(viewer, isBinary ? undefined : textOf(data));
        } catch (error) {
          await this.#refuse(viewer, error, '');
        }
      });
    });
    let isAlive = true;
    socket.on('pong', () => (isAlive = true));
    socket.on('error', (error) => this.#parts.log.debug({ err: error }, 'socket of a viewer'));
    const ping = (): void => {
      if (!isAlive) {
        socket.terminate();
        return;
      }
      isAlive = false;
      socket.ping();
      cancelPing = this.#parts.clock.after(pingEveryMs, ping);
    };
    let cancelPing = this.#parts.clock.after(pingEveryMs, ping);
    socket.on('close', () => {
      cancelPing();
      this.#sockets.delete(socket);
      for (const stop of viewer.watches.values()) stop();
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.close(1001, 'the API is stopping');
  }

  async #handle(viewer: Viewer, text: string | undefined): Promise<void> {
    const request = parse(text);
    if (request === undefined) throw LoamError.of('api.bad-live-request', {});
    switch (request.type) {
      case 'watch-build':
        await this.#watchBuild(viewer, request.buildId);
        break;
      case 'unwatch-build':
        stop(viewer, `build:${request.buildId}`);
        break;
      case 'watch-log':
        this.#watchLog(viewer, request.logId, request.from);
        break;
      case 'unwatch-log':
        stop(viewer, `log:${request.logId}`);
        break;
      case 'watch-builds':
        this.#listViewers.add(viewer);
        viewer.watches.set('builds', () => this.#listViewers.delete(viewer));
        for (const build of await this.#parts.source.recent()) show(viewer, build);
        break;
      case 'watch-agents':
        this.#agentViewers.add(viewer);
        viewer.watches.set('agents', () => this.#agentViewers.delete(viewer));
        for (const agent of await this.#parts.source.agents()) showAgent(viewer, agent);
        break;
    }
  }

  async #watchBuild(viewer: Viewer, id: string): Promise<void> {
    const key = `build:${id}`;
    if (viewer.watches.has(key)) stop(viewer, key);
    this.#guard(viewer);
    const feed = this.#feeds.get(id) ?? new BuildFeed(() => this.#parts.source.build(id), this.#parts.clock);
    this.#feeds.set(id, feed);
    const listener = (frames: readonly LiveFrame[], isWhole: boolean): void => {
      if (isWhole) viewer.outbox.forget(`${key}:`);
      for (const frame of frames) {
        viewer.outbox.put(frame.type === 'step' ? `${key}:${frame.step.position}` : key, frame);
      }
    };
    viewer.watches.set(key, () => {
      feed.unwatch(listener);
      if (!feed.isWatched && this.#feeds.get(id) === feed) this.#feeds.delete(id);
    });
    try {
      const isThere = await feed.watch(listener);
      if (!isThere) throw LoamError.of('api.build-unknown', { id });
      // It may have been given up while the build was being read.
      if (!viewer.watches.has(key)) feed.unwatch(listener);
    } catch (error) {
      stop(viewer, key);
      await this.#refuse(viewer, error, id);
    }
  }

  #watchLog(viewer: Viewer, logId: string, from: number): void {
    const key = `log:${logId}`;
    stop(viewer, key);
    this.#guard(viewer);
    const controller = new AbortController();
    viewer.watches.set(key, () => controller.abort());
    const { db, logs, bus } = this.#parts;
    followLog({ db, logs, bus }, { logId, from }, viewer.outbox, controller.signal)
      .catch((error: unknown) => this.#refuse(viewer, error, logId))
      .finally(() => {
        if (!controller.signal.aborted) viewer.watches.delete(key);
      });
  }

  #guard(viewer: Viewer): void {
    if (viewer.watches.size >= watchesMax) throw LoamError.of('api.bad-live-request', {});
  }

  async #refuse(viewer: Viewer, error: unknown, about: string): Promise<void> {
    if (!isLoamError(error)) this.#parts.log.warn({ err: error, about }, 'a viewer could not be served');
    const { code, message } = toLoamError(error);
    await viewer.outbox.send({ type: 'error', code, message, about });
  }

  #gather(changed: Set<string>, id: string): void {
    changed.add(id);
    if (this.#isGathering) return;
    this.#isGathering = true;
    this.#parts.clock.after(gatherMs, () => {
      this.#isGathering = false;
      this.#tell().catch((error: unknown) => this.#parts.log.warn({ err: error }, 'viewers could not be told'));
    });
  }

  async #tell(): Promise<void> {
    const builds = [...this.#changed.builds];
    const agents = [...this.#changed.agents];
    this.#changed.builds.clear();
    this.#changed.agents.clear();
    for (const id of builds) {
      const build = await this.#parts.source.summary(id);
      if (build !== undefined) for (const viewer of this.#listViewers) show(viewer, build);
    }
    for (const id of agents) {
      const agent = await this.#parts.source.agent(id);
      if (agent !== undefined) for (const viewer of this.#agentViewers) showAgent(viewer, agent);
    }
  }
}

function show(viewer: Viewer, build: BuildSummary): void {
  viewer.outbox.put(`summary:${build.id}`, { type: 'build-summary', build });
}

function showAgent(viewer: Viewer, agent: Agent): void {
  viewer.outbox.put(`agent:${agent.id}`, { type: 'agent', agent });
}

function stop(viewer: Viewer, key: string): void {
  viewer.watches.get(key)?.();
  viewer.watches.delete(key);
}

function parse(text: string | undefined): LiveRequest | undefined {
  if (text === undefined) return undefined;
  try {
    const request: unknown = JSON.parse(text);
    return validRequest.Check(request) ? request : undefined;
  } catch {
    return undefined;
  }
}
