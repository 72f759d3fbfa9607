import { LoamError } from '@loam/base';

/** `512M`, `2G`, or bytes. */
export function parseMemory(value: string, option: string = '--memory'): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(value) ?? [];
  if (digits === undefined) throw bad(option, value, 'write bytes, or a number with K, M, G or T');
  const power = ' KMGT'.indexOf(unit.toUpperCase() || ' ');
  return Math.round(Number(digits) * 1024 ** power);
}

/** `90`, `90s`, `15m`, `2h`; plain numbers are seconds. */
export function parseDuration(value: string): number {
  const [, digits, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value) ?? [];
  const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (digits === undefined) throw bad('--timeout', value, 'write seconds, or a number with s, m or h');
  return Math.round(Number(digits) * (unitMs[unit] ?? 1000));
}

export function parseCpus(value: string, option: string = '--cpus'): number {
  const cpus = Number(value);
  if (!(cpus > 0 && cpus < 10_000)) throw bad(option, value, 'write a number above 0');
  return cpus;
}

export function parseSlots(value: string): number {
  const slots = Number(value);
  if (!Number.isInteger(slots) || slots < 1 || slots > 256) throw bad('--slots', value, 'write a number from 1 to 256');
  return slots;
}

function bad(option: string, value: string, reason: string): LoamError {
  return LoamError.of('agent.bad-argument', { option, value, reason });
}
