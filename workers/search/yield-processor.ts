import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

const lowest = constants.priority.PRIORITY_LOW;

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
 * Leaves the processor to all others that want it, from now on: with all threads that there are, and those that they
 * begin.
 *
 * Linux may first share the processor among sessions (autogroup, sched(7)). A process with a session of its own then
 * has as much as another session, whatever its priority is. So the session yields too, but only if this process began
 * it: otherwise it is the session of others as well.
 */
export function yieldProcessor(): void {
  setPriority(lowest);
  for (const thread of threads()) {
    try {
      setPriority(thread, lowest);
    } catch {
      // It has ended meanwhile.
    }
  }
  try {
    if (leadsSession()) writeFileSync('/proc/self/autogroup', String(lowest));
  } catch {
    // There are no such sessions here: another system, or a kernel without them.
  }
}
