// What steps run. Each line goes to the log and, with the run's own mark, into a file that all runs of the step share on
// an agent: two runs of one step at the same time show there as marks that take turns.

const mark = (name: string): string => `m=$(cat /proc/sys/kernel/random/uuid); f=/soak/${name}`;

/** Writes `count` numbered lines, a pause after each. */
export function numbered(name: string, count: number, pauseMicros: number): string {
  return `${mark(name)}; i=0; while [ $i -lt ${count} ]; do echo "${name} $i"; echo $m >> $f; i=$((i+1)); usleep ${pauseMicros}; done`;
}

/** Writes numbered lines until it is killed. */
export function forever(name: string, pauseMicros: number): string {
  return `${mark(name)}; i=0; while :; do echo "${name} $i"; echo $m >> $f; i=$((i+1)); usleep ${pauseMicros}; done`;
}

/** Writes the numbered lines 1 to `count` as fast as it goes. */
export function talkative(name: string, count: number): string {
  return `${mark(name)}; echo $m >> $f; seq 1 ${count} | sed 's/^/${name} /'; echo $m >> $f`;
}

/** What the scripts write. */
export function lines(name: string, count: number, first = 0): string {
  return Array.from({ length: count }, (_, index) => `${name} ${index + first}\n`).join('');
}

/** As a string of the spec. */
export function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
