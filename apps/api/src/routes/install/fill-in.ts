/** What the install scripts are told, by the names of their variables in PowerShell; a shell's are `FARM_URL` and so on. */
export type ScriptValues = Readonly<
  Partial<
    Record<'FarmUrl' | 'PackageName' | 'PackageSize' | 'PackageSha256' | 'PackageVersion' | 'PackageProblem', string>
  >
>;

/**
 * Fills in the lines at the top of an install script: `FARM_URL=''` of a shell script, `$FarmUrl = ''` of PowerShell. What
 * is not given stays empty. Both run the result as root, so nothing passes that could end the quotes; PowerShell takes
 * typographic ones for quotes too.
 */
export function fillIn(dialect: 'sh' | 'ps1', script: string, values: ScriptValues): string {
  return Object.entries(values).reduce((text, [name, value]) => {
    const shown = value.replaceAll(/[^\x20-\x7e]|'/g, '');
    const line = dialect === 'sh' ? `\n${shellName(name)}=` : `\n$${name} = `;
    const parts = text.split(`${line}''\n`);
    if (parts.length !== 2) throw new Error(`the script has ${parts.length - 1} places for ${name}`);
    return parts.join(`${line}'${shown}'\n`);
  }, script);
}

/** `PackageSha256` is `PACKAGE_SHA256`. */
function shellName(name: string): string {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}
