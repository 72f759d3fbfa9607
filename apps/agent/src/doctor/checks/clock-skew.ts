import { defineCheck, ok, problem, unknown, warning, type Verdict } from '../check.ts';
import { formatDuration } from '../../output/style.ts';
import { askFarm, isFailure } from './farm-request.ts';

interface SkewFacts {
  /** Ours minus the farm's; undefined when the farm told no time. */
  readonly skewMs: number | undefined;
  /** Half of the round trip, and the second that the header leaves open. */
  readonly uncertaintyMs: number;
}

const warningMs = 30_000;
/** Certificates and short-lived tokens of registries are refused beyond. */
const problemMs = 5 * 60_000;

export const clockSkew = defineCheck<SkewFacts>({
  id: 'clock.skew',
  title: 'Clock',
  async gather(host) {
    const answer = await askFarm(`${host.farm().url}/healthz`, () => host.clock.now());
    if (isFailure(answer) || answer.date === null) return { skewMs: undefined, uncertaintyMs: 0 };
    const { date, sentAtMs, receivedAtMs } = answer;
    // The header has whole seconds, cut off: on the average the time was half a second later.
    const farmMs = Date.parse(date) + 500;
    return {
      skewMs: (sentAtMs + receivedAtMs) / 2 - farmMs,
      uncertaintyMs: (receivedAtMs - sentAtMs) / 2 + 500,
    };
  },
  judge: (facts, host) => judgeSkew(facts, host.os),
});

export function judgeSkew({ skewMs, uncertaintyMs }: SkewFacts, os: 'linux' | 'windows'): Verdict {
  if (skewMs === undefined || Number.isNaN(skewMs)) {
    return unknown('The farm told no time.', 'Whether the clocks agree is not known; farm.reachable says more.');
  }
  const apart = Math.max(0, Math.abs(skewMs) - uncertaintyMs);
  const side = skewMs > 0 ? 'ahead of' : 'behind';
  if (apart === 0) return ok('No difference could be measured.', 'Times of steps and logs fit.');
  const seen = `The clock of this host is ${formatDuration(apart)} ${side} the farm's.`;
  const remedy =
    os === 'windows'
      ? 'Run `w32tm /resync`, and see `w32tm /query /status`.'
      : 'Have chrony or systemd-timesyncd set the clock.';
  if (apart > problemMs) {
    return problem(seen, 'Certificates and tokens of registries are refused; times of steps are wrong.', remedy);
  }
  if (apart > warningMs) return warning(seen, 'Times of steps and logs do not fit those of the farm.', remedy);
  return ok(seen, 'Times of steps and logs fit.');
}
