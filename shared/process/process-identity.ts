import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Where a process runs, so that another process on the same machine can tell whether it still does. Empty texts where
 * the system does not say (only Linux does): such a process is never taken for dead.
 */
export type ProcessIdentity = {
  host: string;
  /** A new one with every start of the machine. */
  bootId: string;
  /** Processes of two containers may have the same pid. */
  pidNamespace: string;
  pid: number;
  /** When the process began, in ticks since the start of the machine: a pid is given again. */
  pidStart: string;
};

function read(ask: () => string): string {
  try {
    return ask().trim();
  } catch {
    return '';
  }
}

/** The 22nd field of /proc/<pid>/stat. The second, the program's name in brackets, may itself hold spaces. */
function startOf(pid: number): string {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** A zombie has ended; only its parent has not asked yet. */
const hasEnded = (pid: number): boolean => {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat === '' || stat.charAt(stat.lastIndexOf(')') + 2) === 'Z';
};

/** Two machines may have one name; a container may have the machine id of its image. */
const here: ProcessIdentity = {
  host: `${hostname()} ${read(() => readFileSync('/etc/machine-id', 'utf8'))}`.trim(),
  bootId: read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
  pidNamespace: read(() => readlinkSync('/proc/self/ns/pid')),
  pid: process.pid,
  pidStart: startOf(process.pid),
};

export const thisProcess = (): ProcessIdentity => here;

/**
 * Whether a process has certainly ended: it ran on this machine before its last start, or beside this process and is no
 * longer there. False says nothing.
 */
export function isCertainlyDead({ host, bootId, pidNamespace, pid, pidStart }: ProcessIdentity): boolean {
  if (host !== here.host || bootId === '' || here.bootId === '') return false;
  if (bootId !== here.bootId) return true;
  if (pidNamespace === '' || pidNamespace !== here.pidNamespace || pidStart === '') return false;
  return hasEnded(pid) || startOf(pid) !== pidStart;
}
