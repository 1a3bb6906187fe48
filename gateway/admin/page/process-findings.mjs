import { limits } from './limits.mjs';
import { duration } from './words.mjs';

/** What is wrong with processes. */

/** @typedef {import('./limits.mjs').Finding} Finding */

/** What stands still while no process of a line runs. */
const lines = {
  fanout: 'Sends are accepted, and nothing arrives.',
  archive: 'Messages arrive, and are not stored in history.',
  jobs: 'Streams are not trimmed, nobody is notified, and nothing is pushed again.',
};
/** @param {string} role @param {any[]} processes */
export const isRunning = (role, processes) => processes.some((one) => one.role === role);

/** @param {any[]} processes @returns {Finding[]} */
export const missingProcesses = (processes) =>
  Object.entries(lines)
    .filter(([role]) => !isRunning(role, processes))
    .map(([role, detail]) => ({
      level: 'bad',
      title: `No ${role} process runs`,
      detail: `${detail} Nothing is lost. Start one.`,
      page: 'runbook#when-a-process-dies',
    }));

/** @param {{totals: any, processes: any[]}} overview @returns {Finding[]} */
export function slow({ totals, processes }) {
  const times = [
    { what: 'Accepting a message', p99: totals.acceptP99Ms, most: limits.acceptP99Ms },
    { what: 'Delivering a message', p99: totals.deliverP99Ms, most: limits.deliverP99Ms },
  ].filter(({ p99, most }) => p99 !== null && p99 > most);
  const busy = processes.filter((one) => one.eventLoopP99Ms > limits.eventLoopP99Ms);
  return [
    ...times.map(({ what, p99, most }) => ({
      level: /** @type {const} */ ('warn'),
      title: `${what} takes up to ${duration(p99)}`,
      detail: `One in a hundred takes longer than ${duration(most)}. Which process is busy? Is Redis?`,
      page: 'runbook#alerts',
    })),
    ...busy.map((one) => ({
      level: /** @type {const} */ ('warn'),
      title: `${one.role} ${one.id.slice(0, 8)} is short of CPU`,
      detail: `Its event loop waits up to ${duration(Math.round(one.eventLoopP99Ms))}. Start another, or give it CPU.`,
      page: 'runbook#alerts',
    })),
  ];
}

/** Samples come every ten seconds. When none came for this long (ms), nobody takes them. */
const mostSilentMs = 45_000;

/** @param {{at: number, now: number}} newest @param {any[]} processes @returns {Finding[]} */
export function sampling({ at, now }, processes) {
  if (!isRunning('jobs', processes) || at === 0 || now - at <= mostSilentMs) return [];
  return [
    {
      level: 'warn',
      title: 'The curves have no new samples',
      detail: `The newest is ${duration(now - at)} old. What does the log of jobs say?`,
      page: 'admin#the-curves',
    },
  ];
}
