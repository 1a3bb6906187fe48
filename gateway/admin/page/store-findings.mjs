import { limits } from './limits.mjs';
import { bytes, count, duration } from './words.mjs';

/** What is wrong with what is kept: Redis, dead letters, search indexes. */

/** @typedef {import('./limits.mjs').Finding} Finding */

/** @param {{usedBytes: number, maxBytes: number}} redis @returns {Finding[]} */
export function memory({ usedBytes, maxBytes }) {
  if (maxBytes === 0 || usedBytes <= limits.redisShare * maxBytes) return [];
  return [
    {
      level: 'bad',
      title: `Redis is ${Math.round((100 * usedBytes) / maxBytes)} % full`,
      detail: `It holds ${bytes(usedBytes)} of ${bytes(maxBytes)}. When it is full, sends are refused.`,
      page: 'losing-redis#redis-is-full',
    },
  ];
}

/** @param {Record<string, number>} counts @returns {Finding[]} */
export function deadLetters(counts) {
  const open = Object.entries(counts).filter(([, letters]) => letters > 0);
  if (open.length === 0) return [];
  const all = open.reduce((sum, [, letters]) => sum + letters, 0);
  return [
    {
      level: 'warn',
      title: all === 1 ? 'There is one dead letter' : `There are ${count(all)} dead letters`,
      detail: `Could not be processed: ${open.map(([reason, letters]) => `${reason} ${count(letters)}`).join(', ')}.`,
      page: 'runbook#dead-letters',
    },
  ];
}

/** @param {{served: boolean, processes: any[]}} search @returns {Finding[]} */
export function searching({ served, processes }) {
  if (!served) return [];
  if (processes.length === 0)
    return [
      {
        level: 'bad',
        title: 'No search process answers',
        detail: 'Searches are refused for now. Sending and history are not touched.',
        page: 'search#searches-fail',
      },
    ];
  const behindMs = Math.max(...processes.map((one) => one.behindMs));
  if (behindMs <= limits.searchBehindMs) return [];
  return [
    {
      level: 'warn',
      title: `The search index is ${duration(behindMs)} behind`,
      detail: 'Newer messages are not found yet.',
      page: 'search#the-index-is-behind',
    },
  ];
}
