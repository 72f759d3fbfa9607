import { defineCheck, ok, problem, warning, type Verdict } from '../check.ts';

/** Of others; sweeping or sharing one is asking for trouble (reference §2.3.5). */
const foreign = new Set(['default', 'moby', 'k8s.io', 'buildkit']);

/**
 * The Windows snapshotter takes any key with `extract` in it for a layer's, and the namespace is part of each key (reference
 * §0.1, §3.2, §10 #18).
 */
export const containerdNamespace = defineCheck<string>({
  id: 'containerd.namespace',
  title: "containerd's namespace",
  gather: (host) => Promise.resolve(host.namespace),
  judge: judgeNamespace,
});

export function judgeNamespace(namespace: string): Verdict {
  const seen = `The namespace is "${namespace}".`;
  if (/extract/i.test(namespace)) {
    return problem(
      `${seen} It contains "extract".`,
      'On Windows what steps write would be lost in silence; the agent refuses to start.',
      'Give another name with --namespace.',
    );
  }
  if (foreign.has(namespace)) {
    return warning(
      `${seen} Other programs use it.`,
      'Their clean-up may take what Loam needs.',
      'Give Loam a namespace of its own with --namespace.',
    );
  }
  return ok(seen, 'Nothing in it confuses the snapshotter.');
}
