/** Stops what a killed launcher left running: first its processes, then its Redis. */
import { setTimeout as pause } from 'node:timers/promises';
import { isRunning } from './process-id.mjs';
import { signalGroup } from './processes.mjs';

/** @typedef {import('./process-id.mjs').ProcessId & {name: string}} Leftover */

/**
 * Redis goes last: the processes settle their work in it.
 * @param {import('./run-file.mjs').RunFile | undefined} runFile
 * @param {(text: string) => void} say
 */
export async function stopLeftovers(runFile, say) {
  if (runFile === undefined) return;
  const processes = runFile.processes.filter(isRunning);
  const redis = runFile.redis && isRunning(runFile.redis) ? [{ ...runFile.redis, name: 'redis' }] : [];
  const left = [...processes, ...redis];
  if (left.length === 0) return;
  say(`an earlier start was killed; stopping what it left: ${left.map(({ name }) => name).join(', ')}`);
  await stopAll(processes);
  await stopAll(redis);
}

/** @param {Leftover[]} leftovers */
async function stopAll(leftovers) {
  for (const { pid } of leftovers) signalGroup(pid, 'SIGTERM');
  const killAt = Date.now() + 8_000;
  // They are not children of this process, so it can only poll for their end.
  while (leftovers.some(isRunning)) {
    if (Date.now() > killAt) for (const left of leftovers.filter(isRunning)) signalGroup(left.pid, 'SIGKILL');
    await pause(25);
  }
}
