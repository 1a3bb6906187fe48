/**
 * Identifies a process. The system reuses numbers, so each is stored with the start time of its process. A number
 * recorded before a kill -9 or a reboot is then never mistaken for another process.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** @typedef {{pid: number, began: string}} ProcessId */

/**
 * @param {number} pid
 * @returns {ProcessId}
 */
export function processId(pid) {
  return { pid, began: beginning(pid) ?? '' };
}

/** @param {ProcessId} id */
export function isRunning({ pid, began }) {
  return began !== '' && beginning(pid) === began;
}

/** @returns {string | undefined} undefined if there is no such process, or only its exit status is left */
function beginning(/** @type {number} */ pid) {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
    }
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses, which may itself contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${boot} ${fields[19]}`;
  } catch {
    return undefined;
  }
}
