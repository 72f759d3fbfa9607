import { encodeText } from './bytes.ts';
import type { Diagnostic } from './diagnostics.ts';
import type { DockerfileOptions } from './docker-options.ts';
import type { SourceRange } from './position.ts';
import type { Op, Spec } from './spec.ts';

/** What `toDockerfile` cannot say, as warnings; specs without source ranges get them at the beginning of the text. */
export function dockerfileLosses(spec: Spec, options: DockerfileOptions): Diagnostic[] {
  const losses: Diagnostic[] = spec.builds.flatMap((build) => dockerfileLosses(build.spec, options));
  for (const op of spec.ops) {
    for (const [message, hint] of lossesOf(op, options)) {
      losses.push({ severity: 'warning', code: 'dockerfile.loss', message, hint, range: op.range ?? nowhere });
    }
  }
  return losses;
}

const nowhere: SourceRange = {
  start: { line: 1, column: 1, offset: 0 },
  end: { line: 1, column: 1, offset: 0 },
};

/** Docker's limit is 65535 bytes; the instruction needs some of them for itself. */
const longestLine = 65_000;

function* lossesOf(op: Op, options: DockerfileOptions): Generator<[message: string, hint: string]> {
  if (op.kind === 'copy' && op.exclude.length > 0) {
    yield ['A Dockerfile cannot exclude files from one copy.', `List ${op.exclude.join(', ')} in .dockerignore.`];
  }
  if (op.kind === 'env' && op.value.includes('\n')) {
    yield ['A Dockerfile cannot set a variable to several lines; they are joined.', 'Set it inside the command.'];
  }
  if (op.kind === 'workdir' && op.path.includes('\n')) {
    yield ['A Dockerfile cannot have a line end in a working directory; it becomes a blank.', 'Rename it.'];
  }
  if (op.kind === 'workdir' && options.platform === 'unix' && /^[A-Za-z]:[\\/]/.test(op.path)) {
    yield ['A Dockerfile for Linux understands no drive letters, and takes `\\` for an escape.', 'Ask for Windows.'];
  }
  if (op.kind !== 'run') return;
  if (op.network.length > 0) {
    yield ['A Dockerfile cannot choose the network of one step.', 'Use `docker build --network`.'];
  }
  const lines = options.buildkit ? op.shell.split('\n') : [op.shell];
  if (lines.some((line) => encodeText(line).length > longestLine)) {
    yield ['Docker refuses a Dockerfile with a line as long as this command.', 'Copy it as a script and run that.'];
  }
  const mounts = [...op.cache, ...op.secrets];
  if (mounts.length > 0 && !options.buildkit) {
    yield ['Without BuildKit there are no caches and no secrets.', 'Ask for BuildKit syntax.'];
  } else if (mounts.some((mount) => /[\s,"]/.test(mount.id + mount.target))) {
    yield ['A mount whose id or target has blanks, commas or quotes is not understood by Docker.', 'Rename it.'];
  }
}
