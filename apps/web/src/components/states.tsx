import type { Agent, BuildSummary, PlannedStep, Step } from '@loam/contracts';

import { Glyph, type GlyphShape, type Tone } from './glyph.tsx';

interface Look {
  readonly tone: Tone;
  readonly shape: GlyphShape;
  readonly label: string;
}

const buildLooks: Record<BuildSummary['state'], Look> = {
  queued: { tone: 'stone', shape: 'ring', label: 'Queued' },
  running: { tone: 'ochre', shape: 'spinner', label: 'Running' },
  succeeded: { tone: 'moss', shape: 'check', label: 'Succeeded' },
  failed: { tone: 'clay', shape: 'cross', label: 'Failed' },
  cancelled: { tone: 'stone', shape: 'stop', label: 'Cancelled' },
};

const stepLooks: Record<Step['state'], Look> = {
  pending: { tone: 'stone', shape: 'ring', label: 'Pending' },
  running: { tone: 'ochre', shape: 'spinner', label: 'Running' },
  hit: { tone: 'water', shape: 'layers', label: 'Cache hit' },
  built: { tone: 'moss', shape: 'check', label: 'Built' },
  shared: { tone: 'heather', shape: 'link', label: 'Shared with another build' },
  failed: { tone: 'clay', shape: 'cross', label: 'Failed' },
  cancelled: { tone: 'stone', shape: 'stop', label: 'Cancelled' },
  skipped: { tone: 'stone', shape: 'dash', label: 'Skipped' },
};

const planLooks: Record<PlannedStep['state'], Look> = {
  hit: { tone: 'water', shape: 'layers', label: 'Hit' },
  miss: { tone: 'ochre', shape: 'dot', label: 'Miss' },
  'in-flight': { tone: 'heather', shape: 'link', label: 'In flight' },
  unknown: { tone: 'stone', shape: 'ring', label: 'Unknown' },
};

const agentLooks: Record<Agent['state'], Look> = {
  online: { tone: 'moss', shape: 'dot', label: 'Online' },
  offline: { tone: 'stone', shape: 'ring', label: 'Offline' },
  draining: { tone: 'ochre', shape: 'dash', label: 'Draining' },
  quarantined: { tone: 'clay', shape: 'warning', label: 'Quarantined' },
  revoked: { tone: 'stone', shape: 'cross', label: 'Revoked' },
};

function Badge({ look, text }: { look: Look; text?: string }) {
  return (
    <span className={`badge tone-${look.tone}`}>
      <Glyph shape={look.shape} size={12} />
      {text ?? look.label}
    </span>
  );
}

export function BuildBadge({ build }: { build: Pick<BuildSummary, 'state' | 'cancelRequested'> }) {
  const ending = build.cancelRequested && build.state === 'running';
  return <Badge look={buildLooks[build.state]} {...(ending ? { text: 'Cancelling' } : {})} />;
}

export function StepGlyph({ state }: { state: Step['state'] }) {
  return <Glyph {...stepLooks[state]} />;
}

export function StepBadge({ state }: { state: Step['state'] }) {
  return <Badge look={stepLooks[state]} />;
}

export function PlanBadge({ state }: { state: PlannedStep['state'] }) {
  return <Badge look={planLooks[state]} />;
}

export function AgentBadge({ state }: { state: Agent['state'] }) {
  return <Badge look={agentLooks[state]} />;
}

export function stepTone(state: Step['state']): Tone {
  return stepLooks[state].tone;
}
