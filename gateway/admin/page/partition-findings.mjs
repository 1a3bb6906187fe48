import { limits } from './limits.mjs';
import { isRunning } from './process-findings.mjs';
import { count } from './words.mjs';

/** What is wrong with partitions. */

/** @typedef {import('./limits.mjs').Finding} Finding */

/** Each consumer group, and the line that runs it. */
const groups = { inbox: 'fanout', history: 'archive' };

/** @param {any[]} partitions @param {any[]} processes @returns {Finding[]} */
export const partitionsWithoutOwner = (partitions, processes) =>
  Object.entries(groups)
    .filter(([, role]) => isRunning(role, processes))
    .map(([group, role]) => ({
      role,
      without: partitions.filter((one) => one.groups[group].owner === null).map((one) => one.partition),
    }))
    .filter(({ without }) => without.length > 0)
    .map(({ role, without }) => ({
      level: 'bad',
      title: `No ${role} process owns ${partitionList(without)}`,
      detail: 'After a crash another process takes over within five seconds. If this stays, can it reach Redis?',
      page: 'runbook#alerts',
    }));

/** @param {any[]} partitions @returns {Finding[]} */
export const lags = (partitions) =>
  Object.entries(groups).flatMap(([group, role]) => {
    const behind = partitions.filter((one) => one.groups[group].unsettled > limits.lag);
    if (behind.length === 0) return [];
    const most = Math.max(...behind.map((one) => one.groups[group].unsettled));
    const what = group === 'inbox' ? 'Messages arrive late' : 'History is behind';
    return {
      level: /** @type {const} */ ('bad'),
      title: `${what} in ${partitionList(behind.map((one) => one.partition))}`,
      detail: `Up to ${count(most)} entries wait for ${role}. Is it short of CPU, or is what it writes to slow?`,
      page: 'runbook#alerts',
    };
  });

/** @param {{mode: string, partitions: any[]}} surge @returns {Finding[]} */
export function surges({ mode, partitions }) {
  if (mode !== 'auto')
    return [
      {
        level: 'warn',
        title: `Every partition is held in ${mode}`,
        detail: 'An operator chose it. They do not follow the traffic until the mode is auto again.',
        page: 'scaling#spikes',
      },
    ];
  const inSurge = partitions.filter(({ state }) => state === 'surge');
  if (inSurge.length === 0) return [];
  return [
    {
      level: 'warn',
      title: `Surge in ${partitionList(inSurge.map(({ partition }) => partition))}`,
      detail: `${inSurge[0].reason}. History is written in larger blocks, up to 2 s later. Messages are not held up.`,
      page: 'scaling#spikes',
    },
  ];
}

/** @param {number[]} which */
const partitionList = (which) =>
  which.length === 1
    ? `partition ${which[0]}`
    : `partitions ${which.slice(0, 8).join(', ')}${which.length > 8 ? ', …' : ''}`;
