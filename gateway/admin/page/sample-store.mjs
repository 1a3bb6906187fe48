import { ask } from './ask.mjs';

/**
 * @typedef {{
 *   at: number, connections: number, acceptedPerS: number, pushedPerS: number,
 *   acceptP50Ms: number | null, acceptP99Ms: number | null,
 *   deliverP50Ms: number | null, deliverP99Ms: number | null,
 *   redisBytes: number, lag: {inbox: number[], history: number[]}, surge: string[],
 * }} Sample one of the route `curves`
 */

const hourMs = 3_600_000;

/** The samples of the last hour. After the first time only newer ones are asked for. */
export function createSampleStore() {
  /** @type {Sample[]} */
  let samples = [];
  let everyMs = 10_000;
  let now = 0;

  return {
    async refresh() {
      const answer = await ask(`curves?after=${samples.at(-1)?.at ?? 0}`);
      ({ everyMs, now } = answer);
      samples = [...samples, ...answer.samples].filter(({ at }) => at > now - hourMs && at <= now);
    },
    /** `now`: the time of the newest answer, by Redis. Between samples further apart than `mostApartMs` is a gap. */
    read: () => ({ samples, everyMs, now, mostApartMs: 2.5 * everyMs }),
    newest: () => ({ at: samples.at(-1)?.at ?? 0, now }),
  };
}
