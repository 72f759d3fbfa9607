/** The end of a build's id, which differs even between builds of one second. */
export function shortBuildId(id: string): string {
  return id.length > 14 ? `bld_…${id.slice(-6)}` : id;
}
