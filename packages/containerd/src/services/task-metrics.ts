import { unpack } from '../any.ts';
import { MetricsSchema as CgroupV1 } from '../gen/metrics/cgroups-v1_pb.ts';
import { MetricsSchema as CgroupV2 } from '../gen/metrics/cgroups-v2_pb.ts';
import { StatisticsSchema as Runhcs } from '../gen/metrics/runhcs-stats_pb.ts';
import type { Metric } from '../gen/types/types_pb.ts';
import { toDate } from '../values.ts';

/** What a task has used. Fields that its platform does not count are undefined. */
export interface TaskMetrics {
  readonly source: 'cgroup1' | 'cgroup2' | 'windows';
  readonly at: Date;
  /** Processor time since the start, over all processors. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly memoryPeakBytes: number | undefined;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly pids: number | undefined;
  /** How many of its processes the kernel killed for want of memory. */
  readonly oomKills: number | undefined;
}

/** One form for the three that runtimes report in; undefined for any other. */
export function toMetrics(metric: Metric | undefined): TaskMetrics | undefined {
  if (!metric) return undefined;
  const at = toDate(metric.timestamp);
  const v1 = unpack(metric.data, CgroupV1);
  if (v1) {
    const blockBytes = (op: string): number => {
      const entries = v1.blkio?.ioServiceBytesRecursive ?? [];
      return entries.filter((entry) => entry.op === op).reduce((sum, { value }) => sum + Number(value), 0);
    };
    return {
      source: 'cgroup1',
      at,
      cpuSeconds: Number(v1.cpu?.usage?.total ?? 0n) / 1e9,
      memoryBytes: Number(v1.memory?.usage?.usage ?? 0n),
      memoryPeakBytes: Number(v1.memory?.usage?.max ?? 0n),
      readBytes: blockBytes('Read'),
      writtenBytes: blockBytes('Write'),
      pids: Number(v1.pids?.current ?? 0n),
      oomKills: Number(v1.memoryOomControl?.oomKill ?? 0n),
    };
  }
  const v2 = unpack(metric.data, CgroupV2);
  if (v2) {
    const usage = v2.io?.usage ?? [];
    const peak = Number(v2.memory?.maxUsage ?? 0n);
    return {
      source: 'cgroup2',
      at,
      cpuSeconds: Number(v2.cpu?.usageUsec ?? 0n) / 1e6,
      memoryBytes: Number(v2.memory?.usage ?? 0n),
      // Counted by newer shims on kernels that have memory.peak.
      memoryPeakBytes: peak === 0 ? undefined : peak,
      readBytes: usage.reduce((sum, { rbytes }) => sum + Number(rbytes), 0),
      writtenBytes: usage.reduce((sum, { wbytes }) => sum + Number(wbytes), 0),
      pids: Number(v2.pids?.current ?? 0n),
      oomKills: Number(v2.memoryEvents?.oomKill ?? 0n),
    };
  }
  const windows = unpack(metric.data, Runhcs)?.container;
  if (windows?.case === 'windows') {
    const { processor, memory, storage } = windows.value;
    return {
      source: 'windows',
      at,
      cpuSeconds: Number(processor?.totalRuntimeNs ?? 0n) / 1e9,
      memoryBytes: Number(memory?.memoryUsageCommitBytes ?? 0n),
      memoryPeakBytes: Number(memory?.memoryUsageCommitPeakBytes ?? 0n),
      readBytes: Number(storage?.readSizeBytes ?? 0n),
      writtenBytes: Number(storage?.writeSizeBytes ?? 0n),
      pids: undefined,
      oomKills: undefined,
    };
  }
  return undefined;
}
