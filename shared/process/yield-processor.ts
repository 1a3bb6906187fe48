import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Whether this process began its session: the sixth field of its `stat` (proc(5)), behind a name in brackets. */
function leadsSession(): boolean {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const [, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(session) === process.pid;
}

/** Linux gives each thread a priority of its own, and setpriority(2) changes that of one. */
function threads(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [];
  }
}

/**
 * How much of a busy processor processes leave to others (nice, setpriority(2)), whose own is 0. A step is about a
 * quarter less: with 5 it is a third of what another one gets, with 19 almost nothing. Nobody waits for `archive` and
 * `jobs`; they must keep up, so they get a share. Search only follows them.
 */
export const niceness = { behind: 5, last: 19 } as const;

/**
 * Leaves more of the processor to others that want it, from now on: with all threads that there are, and those that
 * they begin.
 *
 * Linux may first share the processor among sessions (autogroup, sched(7)). A process with a session of its own then
 * has as much as another session, whatever its priority is. So the session yields too, but only if this process began
 * it: otherwise it is the session of others as well.
 */
export function yieldProcessor(by: number): void {
  setPriority(by);
  for (const thread of threads()) {
    try {
      setPriority(thread, by);
    } catch {
      // It has ended meanwhile.
    }
  }
  try {
    if (leadsSession()) writeFileSync('/proc/self/autogroup', String(by));
  } catch {
    // There are no such sessions here: another system, or a kernel without them.
  }
}
