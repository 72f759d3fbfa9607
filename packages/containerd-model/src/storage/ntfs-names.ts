// eslint-disable-next-line no-control-regex -- they are what is looked for
const forbidden = /[<>:"|?*\\/\u0000-\u001f]/;
const device = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?$/i;

/**
 * Why NTFS, as Win32 programs see it, cannot hold a name; undefined when it can. (Backup writes with `\\?\` paths get some of
 * these names onto a disk, where no ordinary program can open them: the model refuses them.) Reference §3.8.
 */
export function ntfsNameFault(name: string): string | undefined {
  const bad = forbidden.exec(name)?.[0];
  if (bad !== undefined) return `the character ${JSON.stringify(bad)}`;
  if (/[. ]$/.test(name)) return 'a dot or space at the end';
  if (device.test(name)) return 'the name of a device';
  if (name.length > 255) return 'more than 255 characters';
  return undefined;
}

/** Names that differ only by case are one name (reference §3.8). NTFS maps each character to one: `ß` stays. */
export function foldCase(name: string): string {
  return name.replace(/[^A-Z]/g, (char) => (char.toUpperCase().length === 1 ? char.toUpperCase() : char));
}
