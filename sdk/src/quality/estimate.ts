/**
 * What is known of the network, as plain data: each function gives the next estimate. `good`, `poor` or `bad` is
 * decided by several samples in a row, so it does not flap.
 */
export type Level = 'good' | 'poor' | 'bad';

/** `offline`: there is no network, or no connection for a while. */
export type Quality = Level | 'offline';

export type Estimate = {
  readonly level: Level;
  /** Moving averages; null before the first sample. */
  readonly rttMs: number | null;
  /** Characters a second of what is long enough to tell. */
  readonly rate: number | null;
  /** Characters of an item of the backlog. */
  readonly itemLength: number;
  /** When connections or requests failed, within `rememberedMs`. */
  readonly failures: readonly number[];
  /** Samples in a row that speak for a better or a worse level, and when the first of them was. */
  readonly doubt: { readonly better: boolean; readonly samples: number; readonly since: number } | null;
};

export const newEstimate = (level: Level = 'good'): Estimate => ({
  level,
  rttMs: null,
  rate: null,
  itemLength: 500,
  failures: [],
  doubt: null,
});

const weight = 0.2;
/** Rates differ more, and a first page is short: they follow faster. */
const rateWeight = 0.5;
const goodBelowMs = 300;
const badAboveMs = 1500;
const badBelowRate = 4000;
const badFailures = 3;
/** Failures of the last minute decide on the level. */
const freshMs = 60_000;
const rememberedMs = 300_000;
const samplesDown = 2;
const samplesUp = 3;
const upAfterMs = 10_000;

const levels: readonly Level[] = ['good', 'poor', 'bad'];

export const failuresWithin = ({ failures }: Estimate, ms: number, now: number): number =>
  failures.filter((at) => at > now - ms).length;

/** What the averages say, without regard to what was said before. */
function levelNow(estimate: Estimate, now: number): Level {
  const { rttMs, rate } = estimate;
  const failures = failuresWithin(estimate, freshMs, now);
  if ((rttMs ?? 0) > badAboveMs || failures >= badFailures || (rate ?? badBelowRate) < badBelowRate) return 'bad';
  return (rttMs ?? 0) < goodBelowMs && failures === 0 ? 'good' : 'poor';
}

/** Worse after two samples in a row, better after three and ten seconds. */
function judged(estimate: Estimate, now: number): Estimate {
  const level = levelNow(estimate, now);
  if (level === estimate.level) return { ...estimate, doubt: null };
  const better = levels.indexOf(level) < levels.indexOf(estimate.level);
  const before = estimate.doubt?.better === better ? estimate.doubt : { samples: 0, since: now };
  const doubt = { better, samples: before.samples + 1, since: before.since };
  const enough = better ? doubt.samples >= samplesUp && now - doubt.since >= upAfterMs : doubt.samples >= samplesDown;
  return enough ? { ...estimate, level, doubt: null } : { ...estimate, doubt };
}

const average = (before: number | null, sample: number, share: number): number =>
  before === null ? sample : before + share * (sample - before);

/** A request was answered after `ms`. */
export function withRtt(estimate: Estimate, ms: number, now: number): Estimate {
  return judged({ ...estimate, rttMs: average(estimate.rttMs, ms, weight) }, now);
}

/** The answer to a send waits for a storage too: it is a sample only where it shows that the way is shorter. */
export const withSend = (estimate: Estimate, ms: number, now: number): Estimate =>
  estimate.rttMs !== null && ms < estimate.rttMs ? withRtt(estimate, ms, now) : estimate;

/** `length` characters needed `ms`, besides the round trip of their request. */
export function withTransfer(estimate: Estimate, length: number, ms: number, now: number): Estimate {
  const rate = (length / Math.max(1, ms)) * 1000;
  return judged({ ...estimate, rate: average(estimate.rate, rate, rateWeight) }, now);
}

/** How long items are decides how many are asked for. It says nothing about the network. */
export const withItems = (estimate: Estimate, length: number, items: number): Estimate => ({
  ...estimate,
  itemLength: average(estimate.itemLength, length / items, weight),
});

/** A connection ended without a word, did not come about, or a request was not answered in time. */
export function withFailure(estimate: Estimate, now: number): Estimate {
  const failures = [...estimate.failures.filter((at) => at > now - rememberedMs), now];
  return judged({ ...estimate, failures: failures.slice(-20) }, now);
}
