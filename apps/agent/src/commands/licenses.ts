import { getAsset, isSea } from 'node:sea';

/** `loam-agent licenses`: from the sources, those of the packages are beside them. */
export function showLicenses(): number {
  const text = isSea()
    ? getAsset('licenses.txt', 'utf8')
    : 'Nothing is bundled here; see LICENSE files below node_modules.\n';
  process.stdout.write(text);
  return 0;
}
