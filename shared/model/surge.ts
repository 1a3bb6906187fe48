/**
 * How a partition stands, as a state machine:
 *
 *   calm ──pressure──▶ rising ──it lasts──▶ surge ──relief──▶ settling ──it lasts──▶ calm
 *                        └──none──▶ calm      ▲──────pressure──────┘
 *
 * Pressure and relief are far apart, and each must last: so a partition at the edge does not flicker. What is usual is
 * learnt while it is calm.
 */
export const surgeStates = ['calm', 'rising', 'surge', 'settling'] as const;
export type SurgeState = (typeof surgeStates)[number];

/** `auto`: by measurement. The others hold every partition in the state that an operator wants. */
export const surgeModes = ['auto', 'calm', 'surge'] as const;
export type SurgeMode = (typeof surgeModes)[number];

/**
 * What is measured of a partition: arrivals a second, entries that history has not settled, and how long a call of the
 * store takes (ms).
 */
export type Measured = { rate: number; lag: number; storeMs: number };

/**
 * `since`: when this state began; `turned`: when pressure or relief began that would end it, 0: neither (all ms since
 * 1970).
 */
export type Surge = { state: SurgeState; since: number; turned: number; usualRate: number; reason: string };

export const calmly = (at: number): Surge => ({ state: 'calm', since: at, turned: 0, usualRate: 0, reason: '' });

/** Below this nothing is a spike, however little is usual. */
const leastRate = 200;
const risesAt = { factor: 4, lag: 2000, storeMs: 250 };
const settlesAt = { factor: 2, lag: 500, storeMs: 100 };
const risingMs = 1500;
const settlingMs = 10_000;
/** The usual rate follows the present one by this part at each look. */
const learning = 0.02;

/** What presses a partition, in words; '' where nothing does. */
export function pressure({ rate, lag, storeMs }: Measured, usualRate: number): string {
  if (rate >= Math.max(leastRate, risesAt.factor * usualRate))
    return `${Math.round(rate)} messages a second, ${Math.round(usualRate)} are usual`;
  if (lag >= risesAt.lag) return `history is ${lag} entries behind`;
  return storeMs >= risesAt.storeMs ? `the store takes ${Math.round(storeMs)} ms` : '';
}

export const isRelieved = ({ rate, lag, storeMs }: Measured, usualRate: number): boolean =>
  rate < Math.max(leastRate / 2, settlesAt.factor * usualRate) && lag < settlesAt.lag && storeMs < settlesAt.storeMs;

/**
 * The next state. Pure: two deciders that saw the same say the same. What began at a time that has not come yet, since
 * the clock has gone back, begins now.
 */
export function nextSurge(before: Surge, measured: Measured, mode: SurgeMode, at: number): Surge {
  const now = { ...before, since: Math.min(before.since, at), turned: Math.min(before.turned, at) };
  const to = (state: SurgeState, reason: string): Surge =>
    state === now.state ? { ...now, turned: 0, reason } : { ...now, state, since: at, turned: 0, reason };
  if (mode !== 'auto') return to(mode, 'an operator wants it');
  const why = pressure(measured, now.usualRate);
  switch (now.state) {
    case 'calm': {
      if (why !== '') return to('rising', why);
      const usualRate =
        now.usualRate === 0 ? measured.rate : now.usualRate + learning * (measured.rate - now.usualRate);
      return { ...now, usualRate, turned: 0, reason: '' };
    }
    case 'rising':
      if (why === '') return to('calm', '');
      return at - now.since >= risingMs ? to('surge', why) : { ...now, reason: why };
    case 'surge':
      return isRelieved(measured, now.usualRate)
        ? to('settling', 'it is over')
        : { ...now, reason: why === '' ? now.reason : why };
    case 'settling':
      if (why !== '') return to('surge', why);
      if (!isRelieved(measured, now.usualRate)) return { ...now, turned: at };
      return at - Math.max(now.since, now.turned) >= settlingMs ? to('calm', '') : now;
  }
}

/** Whether blocks are written large and packed. Also while a surge settles: the backlog is written then. */
export const isPacking = (state: SurgeState): boolean => state === 'surge' || state === 'settling';
