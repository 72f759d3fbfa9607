import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { root } from '../lib/paths.mjs';
import { run, say } from '../lib/run.mjs';
import { makeWorkFolder } from '../lib/work-folder.mjs';

/** Debian's releases whose containerd is tried, oldest first. */
export const releases = ['trixie', 'forky'];

const wanted = ['containerd', 'runc'];
/** What `wanted` need of the release, wherever this system's are older. */
const libraries = ['libc6', 'libseccomp2'];
const mirror = 'http://deb.debian.org/debian';
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Fetches containerd and runc of a release and unpacks them, with nothing of this system's own apt touched. `usr` is a folder
 * to lay over /usr; `remove` ends it. apt holds each package to the digest that the release's signed index has for it.
 */
export async function unpackRelease(release) {
  const home = path.join(root, 'node_modules', '.cache', 'containerd-versions', release);
  const packages = path.join(home, 'packages');
  for (const folder of ['lists/partial', 'cache/archives/partial', 'packages'])
    mkdirSync(path.join(home, folder), { recursive: true });
  writeFileSync(path.join(home, 'sources.list'), `deb [signed-by=${keyring}] ${mirror} ${release} main\n`);
  writeFileSync(path.join(home, 'status'), '');
  const apt = (folder, ...args) => must('apt-get', [...aptOptions(home), ...args], folder);

  say(`Asking ${mirror} for Debian ${release} …`);
  await apt(home, 'update');
  // Not where the packages are: it passes over what is there already.
  const offered = fileNames(await apt(home, 'download', '--print-uris', ...wanted, ...libraries));
  const files = await keep(offered, async (file) => wanted.includes(nameOf(file)) || (await isNewerThanOurs(file)));
  for (const stale of readdirSync(packages).filter((file) => !files.includes(file))) rmSync(path.join(packages, stale));
  await apt(packages, 'download', ...files.map(nameOf));

  const folder = await makeWorkFolder(home, 'run-');
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    for (const file of files) await must('dpkg-deb', ['--extract', path.join(packages, file), folder], home);
    return { usr: path.join(folder, 'usr'), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Makes apt-get use a state of its own. */
function aptOptions(home) {
  const options = {
    'Dir::Etc::SourceList': path.join(home, 'sources.list'),
    'Dir::Etc::SourceParts': '-',
    'Dir::State': home,
    'Dir::State::Lists': path.join(home, 'lists'),
    'Dir::State::status': path.join(home, 'status'),
    'Dir::Cache': path.join(home, 'cache'),
    'Acquire::Languages': 'none',
    // A mirror that stands still is as good here as one that does not; signatures are looked at all the same.
    'Acquire::Check-Valid-Until': 'false',
    // The folder need not be readable for anybody else.
    'APT::Sandbox::User': 'root',
  };
  return ['-q', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

/** The files in lines such as `'http://…' runc_1.1.15+ds1-2+b4_amd64.deb 3229748 SHA256:…`. */
function fileNames(uris) {
  return [...uris.matchAll(/^'[^']+' (\S+\.deb) \d+/gm)].map(([, file]) => file);
}

function nameOf(file) {
  return file.slice(0, file.indexOf('_'));
}

/** An older library under this system's programs would break them, and is not needed: libraries serve what is older than they are. */
async function isNewerThanOurs(file) {
  const version = decodeURIComponent(file.split('_')[1]);
  const ours = await run('dpkg-query', ['-W', '-f', '${Version}', nameOf(file)], { quiet: true });
  if (ours.code !== 0) return true;
  return (await run('dpkg', ['--compare-versions', version, 'gt', ours.output], { quiet: true })).code === 0;
}

async function keep(items, isKept) {
  const verdicts = await Promise.all(items.map(isKept));
  return items.filter((_, index) => verdicts[index]);
}

async function must(command, args, cwd) {
  const { code, output } = await run(command, args, { quiet: true, cwd });
  if (code !== 0) throw new Error(`${command} ${args.at(-1)} failed:\n${output}`);
  return output;
}
