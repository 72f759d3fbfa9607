import fc from 'fast-check';
import { decodeBytes, encodeText } from '../bytes.ts';
import type { CopyOp, Mount, Op, Spec, User } from '../spec.ts';

/** Any byte string, as text; half of them with what a printer may trip over. */
const value = fc.oneof(
  fc.uint8Array({ maxLength: 12 }).map(decodeBytes),
  fc
    .array(
      fc.constantFrom('a', ' ', '\n', '\\', '"', '(', ';', '#', '|', '\r', '\t', 'é', '🚀', '\udcc3', '\udca9', '\0'),
    )
    .map((parts) => decodeBytes(encodeText(parts.join('')))),
  fc.constantFrom('a', 'busybox', '/usr/local', 'C:\\temp\\new'),
);
const values = fc.array(value, { maxLength: 4 });
const mounts = fc.array(
  fc.record({ id: value, target: value, buildkitOptions: fc.array(fc.tuple(value, value), { maxLength: 2 }) }),
  { maxLength: 2 },
) as fc.Arbitrary<Mount[]>;
const id = fc.bigInt({ min: -(1n << 62n), max: (1n << 62n) - 1n }).map(String);
const user: fc.Arbitrary<User> = fc.oneof(
  fc.record({ kind: fc.constant('unix' as const), uid: id, gid: id }),
  fc.record({ kind: fc.constant('windows' as const), name: value }),
);

function ops(names: string[]): fc.Arbitrary<Op[]> {
  const sources = fc.constantFrom<CopyOp['from']>({ kind: 'context' }, ...names.map((name) => build(name)));
  return fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('comment' as const), text: value }),
      fc.record({ kind: fc.constant('workdir' as const), path: value }),
      fc.record({ kind: fc.constant('shell' as const), args: values }),
      fc.record({ kind: fc.constant('run' as const), cache: mounts, network: values, secrets: mounts, shell: value }),
      fc.record({ kind: fc.constant('copy' as const), from: sources, src: values, dst: value, exclude: values }),
      fc.record({ kind: fc.constant('user' as const), user }),
      fc.record({ kind: fc.constant('env' as const), name: value, value }),
    ),
    { maxLength: 5 },
  );
}

function build(name: string): CopyOp['from'] {
  return { kind: 'build', name };
}

/** Any spec, with builds nested as deep as `depth`. */
export function specOf(depth: number): fc.Arbitrary<Spec> {
  const names = depth === 0 ? fc.constant<string[]>([]) : fc.array(value, { maxLength: 2 });
  return names.chain((builds) =>
    fc.record({
      builds: fc.tuple(...builds.map((name) => fc.record({ name: fc.constant(name), spec: specOf(depth - 1) }))),
      from: value,
      ops: ops(builds),
    }),
  );
}
