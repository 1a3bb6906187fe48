import { lags, partitionsWithoutOwner, surges } from './partition-findings.mjs';
import { missingProcesses, sampling, slow } from './process-findings.mjs';
import { deadLetters, memory, searching } from './store-findings.mjs';

/** What is wrong, in words. Pure: the page draws it, and a test reads it. */

/**
 * @param {{overview: any, partitions: any[], surge: any, search: any, newestSample: {at: number, now: number}}} state
 *   answers of the admin API
 * @returns {import('./limits.mjs').Finding[]} the worst first
 */
export function findingsOf({ overview, partitions, surge, search, newestSample }) {
  const found = [
    ...missingProcesses(overview.processes),
    ...partitionsWithoutOwner(partitions, overview.processes),
    ...lags(partitions),
    ...memory(overview.redis),
    ...slow(overview),
    ...deadLetters(overview.deadLetters),
    ...surges(surge),
    ...searching(search),
    ...sampling(newestSample, overview.processes),
  ];
  return [...found.filter(({ level }) => level === 'bad'), ...found.filter(({ level }) => level === 'warn')];
}
