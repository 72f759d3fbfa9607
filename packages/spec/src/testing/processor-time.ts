/// <reference types="node" />

/** What `work` gives, and the seconds that it had a processor: others may have that most of the time. */
export function onProcessor<T>(work: () => T): { readonly result: T; readonly seconds: number } {
  const before = process.threadCpuUsage();
  const result = work();
  const { user, system } = process.threadCpuUsage(before);
  return { result, seconds: (user + system) / 1e6 };
}
