import { bytes, count, duration, rate } from './words.mjs';

/** Which curves are drawn, and from what. */

/**
 * @typedef {import('./chart.mjs').Sample} Sample
 * @typedef {import('./chart.mjs').Series} Series
 */

/**
 * The partitions whose lag was highest, a series each.
 * @param {'inbox' | 'history'} group
 * @returns {(samples: Sample[]) => Series[]}
 */
const lagOf = (group) => (samples) => {
  const partitions = samples.at(-1)?.lag[group].length ?? 0;
  return Array.from({ length: partitions }, (_, partition) => ({
    name: `partition ${partition}`,
    highest: Math.max(...samples.map(({ lag }) => lag[group][partition] ?? 0)),
    value: (/** @type {Sample} */ { lag }) => lag[group][partition] ?? null,
  }))
    .sort((one, other) => other.highest - one.highest)
    .slice(0, 4)
    .sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }));
};

/** @type {import('./chart.mjs').ChartOf[]} */
export const charts = [
  {
    title: 'Messages',
    format: rate,
    series: () => [
      { name: 'accepted', value: (one) => one.acceptedPerS },
      { name: 'delivered', value: (one) => one.pushedPerS },
    ],
    note: 'Delivered: to each device that is online.',
  },
  {
    title: 'Time to accept',
    format: duration,
    series: () => [
      { name: 'p50', value: (one) => one.acceptP50Ms },
      { name: 'p99', value: (one) => one.acceptP99Ms },
    ],
    note: 'Of the slowest gateway, at most.',
  },
  {
    title: 'Time to deliver',
    format: duration,
    series: () => [
      { name: 'p50', value: (one) => one.deliverP50Ms },
      { name: 'p99', value: (one) => one.deliverP99Ms },
    ],
    note: 'From acceptance to the socket, of the slowest gateway, at most.',
  },
  {
    title: 'Waiting for fanout',
    format: count,
    series: lagOf('inbox'),
    note: 'Entries that are in no inbox yet.',
  },
  {
    title: 'Waiting for archive',
    format: count,
    series: lagOf('history'),
    note: 'Entries that are not in history yet.',
  },
  {
    title: 'Connections',
    format: count,
    series: () => [{ name: 'open', value: (one) => one.connections }],
  },
  {
    title: 'Memory of Redis',
    format: bytes,
    series: () => [{ name: 'used', value: (one) => one.redisBytes }],
  },
];
