import { Type, type Static } from 'typebox';

import { Agent } from '../http/agents.ts';
import { Build, BuildSummary, Step } from '../http/builds.ts';

/**
 * The viewer's websocket, `/api/v1/live`. The client subscribes; the server answers with the state as it is, then sends
 * what changes strictly after it. Every log frame carries its absolute byte offset, so that a client that was cut off asks
 * again from where it stood and neither loses nor doubles a byte. Frames are JSON texts.
 */
export const LiveRequest = Type.Union([
  Type.Object({ type: Type.Literal('watch-build'), buildId: Type.String() }),
  Type.Object({ type: Type.Literal('unwatch-build'), buildId: Type.String() }),
  /** Follow a log from a byte offset until it ends. */
  Type.Object({ type: Type.Literal('watch-log'), logId: Type.String(), from: Type.Integer({ minimum: 0 }) }),
  Type.Object({ type: Type.Literal('unwatch-log'), logId: Type.String() }),
  Type.Object({ type: Type.Literal('watch-builds') }),
  Type.Object({ type: Type.Literal('watch-agents') }),
]);
export type LiveRequest = Static<typeof LiveRequest>;

export const LiveFrame = Type.Union([
  /** The whole build: first after `watch-build`, and again when an attempt begins or the build ends. */
  Type.Object({ type: Type.Literal('build'), build: Build }),
  /** One step of a watched build changed. */
  Type.Object({ type: Type.Literal('step'), buildId: Type.String(), step: Step }),
  /** Bytes of a watched log, base64. */
  Type.Object({ type: Type.Literal('log'), logId: Type.String(), offset: Type.Integer(), data: Type.String() }),
  /** The watched log is complete at `size` bytes. */
  Type.Object({ type: Type.Literal('log-end'), logId: Type.String(), size: Type.Integer() }),
  /** A build in the list appeared or changed. */
  Type.Object({ type: Type.Literal('build-summary'), build: BuildSummary }),
  Type.Object({ type: Type.Literal('agent'), agent: Agent }),
  Type.Object({ type: Type.Literal('error'), code: Type.String(), message: Type.String(), about: Type.String() }),
]);
export type LiveFrame = Static<typeof LiveFrame>;
