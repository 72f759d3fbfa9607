/** Well-known security identifiers, language-neutral. Source: Microsoft, "Well-known SIDs"; that of ContainerUser is unverified. */
const sids = {
  system: '*S-1-5-18',
  administrators: '*S-1-5-32-544',
  authenticatedUsers: '*S-1-5-11',
  containerUser: '*S-1-5-93-2-2',
};

/** Arguments of icacls that leave a directory, and what will be in it, to SYSTEM and administrators. */
export function privateDirectoryArguments(directory: string): string[] {
  const all = ':(OI)(CI)F';
  return [directory, '/inheritance:r', '/grant:r', `${sids.system}${all}`, `${sids.administrators}${all}`];
}

/**
 * Arguments of icacls that let the user of a step read one file, and nobody else but SYSTEM and administrators, to whom
 * ContainerAdministrator belongs. A user of the image is unknown to the host, so for such a one every user who knows the
 * file's random path may read it.
 */
export function secretFileArguments(file: string, username: string): string[] {
  const owners = [`${sids.system}:F`, `${sids.administrators}:F`];
  return [file, '/inheritance:r', '/grant:r', ...owners, ...readerOf(username).map((sid) => `${sid}:R`)];
}

/** Arguments of icacls that let any user of containers write in a cache. */
export function cacheDirectoryArguments(directory: string): string[] {
  return [directory, '/grant', `${sids.authenticatedUsers}:(OI)(CI)M`, `${sids.containerUser}:(OI)(CI)M`];
}

function readerOf(username: string): string[] {
  const name = username.toLowerCase();
  if (name === 'containeradministrator' || name === 'nt authority\\system') return [];
  return name === 'containeruser' ? [sids.containerUser] : [sids.authenticatedUsers];
}
