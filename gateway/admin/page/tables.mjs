import { at } from './dom.mjs';
import { limits } from './limits.mjs';
import { fill } from './table.mjs';
import { bytes, count, duration } from './words.mjs';

/** The tables of the page, each from an answer of the admin API. */

/** @param {any[]} processes */
export function showProcesses(processes) {
  fill(
    at('process-table'),
    'Processes of the deployment',
    ['process', 'host', 'connections', 'accepted/s', 'delivered/s', 'settled/s', 'loop p99', 'memory'],
    processes.map((one) => {
      const isGateway = one.role === 'web';
      return [
        `${one.role} ${one.id.slice(0, 8)}`,
        { text: `${one.host} ${one.pid}`, title: `host ${one.host}, process ${one.pid}` },
        isGateway ? one.connections : '',
        isGateway ? one.acceptedPerS : '',
        isGateway ? one.pushedPerS : '',
        isGateway ? '' : one.settledPerS,
        { text: `${one.eventLoopP99Ms} ms`, bad: one.eventLoopP99Ms > limits.eventLoopP99Ms },
        bytes(one.residentBytes),
      ];
    }),
  );
}

/** @param {{owner: string | null}} group */
const owner = ({ owner: name }) => (name === null ? { text: 'nobody', bad: true } : name.slice(0, 8));
/** @param {{unsettled: number}} group */
const lag = ({ unsettled }) => ({ text: unsettled, bad: unsettled > limits.lag });

/** @param {any[]} partitions @param {any[]} surges */
export function showPartitions(partitions, surges) {
  fill(
    at('partition-table'),
    'Partitions, their owners and their lags',
    ['partition', 'state', 'entries', 'fanout by', 'fanout waits', 'archive by', 'archive waits'],
    partitions.map(({ partition, entries, groups }) => {
      const { state, reason } = surges[partition];
      return [
        `partition ${partition}`,
        { text: state, bad: state === 'surge', title: reason },
        entries,
        owner(groups.inbox),
        lag(groups.inbox),
        owner(groups.history),
        lag(groups.history),
      ];
    }),
  );
}

/** @param {{served: boolean, processes: any[]}} search */
export function showSearch({ served, processes }) {
  const rows = processes.map((one) => [
    one.process.slice(0, 8),
    one.host,
    { text: duration(one.behindMs), bad: one.behindMs > limits.searchBehindMs },
    count(one.docs),
    count(one.conversations),
    bytes(one.bytes),
    [one.owner === one.process ? 'writes' : '', one.rebuilding ? 'is being made again' : ''].filter(Boolean).join(', '),
  ]);
  const nobody = served ? { text: 'no process answers', bad: true } : 'off';
  fill(
    at('search-table'),
    'Search indexes',
    ['process', 'host', 'behind', 'messages', 'conversations', 'size', 'state'],
    rows.length > 0 ? rows : [[nobody, '', '', '', '', '', '']],
  );
}
