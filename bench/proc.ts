/**
 * What Linux says about processes: CPU time, resident memory, and how busy the machine is with work that is not ours.
 * All times are seconds; the kernel counts them in ticks of 10 ms, so differences below that mean nothing.
 */
import { readFileSync } from 'node:fs';

const ticksPerSecond = 100;

/** CPU seconds a process has used with all its threads, and with the children it has waited for. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold spaces; behind it: state is field 0, utime stime cutime cstime are 11 to 14.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
}

/**
 * CPU seconds of the whole machine. Soft interrupts are left out: on the loopback they are the price of our own
 * packets, which belong to nobody. Time stolen by the host counts, since it is missing from a measurement.
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

/** How many files this process may open; a socket is one. */
export function openFileLimit(): number {
  const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return found ? Number(found[1]) : 1024;
}

export type CpuReading = { at: number; busy: number; own: number; byName: Record<string, number> };

/** One reading of the clock and of every named process; two of them make a usage. */
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
  /** Cores taken by the process that measures. */
  ownCores: number;
  /** Cores taken by everything that is neither named nor the process that measures. */
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
