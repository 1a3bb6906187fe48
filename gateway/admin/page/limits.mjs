/** What is said to be wrong, and from where on: the limits of the alert rules in deploy/monitoring/alerts.yml. */

/**
 * `bad`: something is not delivered, stored or answered now. `warn`: it may come to that, or needs a look.
 * @typedef {{level: 'bad' | 'warn', title: string, detail: string, page: string}} Finding
 */

export const limits = {
  lag: 5000,
  redisShare: 0.8,
  acceptP99Ms: 500,
  deliverP99Ms: 2000,
  eventLoopP99Ms: 200,
  searchBehindMs: 60_000,
};
