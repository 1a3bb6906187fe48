/**
 * Process data from Linux: CPU time, resident memory, and how busy the machine is with other work. All times are
 * seconds. The kernel counts in ticks of 10 ms, so smaller differences mean nothing.
 */
import { readFileSync } from 'node:fs';

const ticksPerSecond = 100;

/** CPU seconds of a process with all its threads, and of the children it has waited for. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may contain spaces. After it: state is field 0, utime stime cutime cstime are 11 to 14.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
}

/**
 * CPU seconds of the whole machine. Soft interrupts are left out: on the loopback they are caused by our own packets,
 * but belong to no process. Time stolen by the host counts, since a measurement lacks it.
 */
function busySeconds(): number {
  const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '';
  const [user = 0, nice = 0, system = 0, , , , , steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + steal) / ticksPerSecond;
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (!found) throw new Error(`process ${pid} has no resident memory: has it ended?`);
  return Number(found[1]) * 1024;
}

/** The maximum open files of this process; a socket is one. */
export function openFileLimit(): number {
  const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return found ? Number(found[1]) : 1024;
}

export type CpuReading = { at: number; busy: number; own: number; byName: Record<string, number> };

/** One reading of the clock and of every named process; the difference of two gives the usage. */
export const readCpu = (processes: Record<string, number>): CpuReading => ({
  at: performance.now() / 1000,
  busy: busySeconds(),
  own: cpuSeconds(process.pid),
  byName: Object.fromEntries(Object.entries(processes).map(([name, pid]) => [name, cpuSeconds(pid)])),
});

export type CpuUsage = {
  seconds: number;
  /** CPU seconds of each named process. */
  byName: Record<string, number>;
  /** Cores used by the measuring process. */
  ownCores: number;
  /** Cores used by all other processes. */
  foreignCores: number;
};

export function cpuBetween(from: CpuReading, to: CpuReading): CpuUsage {
  const seconds = to.at - from.at;
  const byName = Object.fromEntries(
    Object.entries(to.byName).map(([name, used]) => [name, used - (from.byName[name] ?? 0)]),
  );
  const named = Object.values(byName).reduce((sum, used) => sum + used, 0);
  const own = to.own - from.own;
  return {
    seconds,
    byName,
    ownCores: own / seconds,
    foreignCores: Math.max(0, (to.busy - from.busy - named - own) / seconds),
  };
}
