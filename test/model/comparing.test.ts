import { describe, expect, test } from 'vitest';
import { explore, type Model, told } from './explore.ts';

/**
 * Every interleaving of two processes that open Redis (opening.ts), without its reports. Meanwhile Redis is wiped or
 * comes back older, the lock expires under a slow holder, and processes die midway. A step is one script or one store
 * call. Every assigned number is archived at once: comparing cannot find what no history knows. The rules can be left
 * out one by one.
 */
type Rules = {
  /** Every step in Redis checks that the lock is held, by a token of this attempt (`name`). */
  fenced: boolean;
  /** A row whose epoch was not opened is continued. */
  continues: boolean;
  /** The row is opened before Redis. */
  rowFirst: boolean;
  /**
   * With an epoch, ids begin above everything in history, before the epoch is opened. A copy from then shows what was
   * archived since.
   */
  raises: boolean;
  /** A process starts over if it finds that the other one has changed the row. */
  readsBack: boolean;
  /** A lock belongs to one run of Redis. A lock that comes back with an older Redis belongs to nobody. */
  ofRun: boolean;
  /** Nothing enters a run of Redis that was not compared. */
  held: boolean;
};
const all: Rules = {
  fenced: true,
  continues: true,
  rowFirst: true,
  raises: true,
  readsBack: true,
  ofRun: true,
  held: true,
};

type Row = { epoch: number; opened: boolean };
type Redis = Row & {
  /** The epoch of the slots (0 if they are gone), how many numbers it has assigned, and the last stream id. */
  slots: number;
  given: number;
  last: number;
  /** `x`: of an attempt that is over; it will expire. */
  lock: 'a' | 'b' | 'x' | null;
  /** Whether this run was compared. A copy that comes back was not. */
  compared: boolean;
};
type At = 'idle' | 'read' | 'compare' | 'next' | 'begin' | 'row' | 'again' | 'drop';
type Process = { at: At; row: Row; name: 'a' | 'b' };
type State = {
  redis: Redis;
  saved: Readonly<Redis> | null;
  row: Row;
  archived: number;
  epochs: number;
  processes: Process[];
  numbers: string[];
  losses: number;
  expiries: number;
  deaths: number;
};

const most = { numbers: 2, losses: 2, expiries: 1, deaths: 1 };
const noRow: Row = { epoch: 0, opened: false };
const empty: Redis = { epoch: 0, opened: false, slots: 0, given: 0, last: 0, lock: null, compared: false };

/** A running deployment in its first epoch. */
const first: State = {
  redis: { epoch: 1, opened: true, slots: 1, given: 0, last: 0, lock: null, compared: true },
  saved: null,
  row: { epoch: 1, opened: true },
  archived: 0,
  epochs: 1,
  processes: (['a', 'b'] as const).map((name) => ({ at: 'idle', row: noRow, name })),
  numbers: [],
  losses: 0,
  expiries: 0,
  deaths: 0,
};

const copyOf = (state: State): State => ({
  ...state,
  redis: { ...state.redis },
  row: { ...state.row },
  processes: state.processes.map((one) => ({ ...one })),
  numbers: [...state.numbers],
});

function openRedis({ redis }: State, epoch: number): void {
  if (redis.slots !== epoch) {
    redis.slots = epoch;
    redis.given = 0;
  }
  redis.opened = true;
  redis.compared = true;
}

const isWhole = ({ redis, archived }: State, { epoch }: Row): boolean =>
  redis.epoch === epoch && redis.last >= archived && (!redis.opened || redis.slots === epoch);

function act(state: State, one: Process, rules: Rules): void {
  const { redis } = state;
  const isHolder = !rules.fenced || redis.lock === one.name;
  const to = (at: At): void => void (one.at = at);
  switch (one.at) {
    case 'idle':
      redis.lock = one.name;
      return to('read');
    case 'read':
      one.row = { ...state.row };
      return to(one.row.opened || !rules.continues ? 'compare' : 'begin');
    case 'compare':
    case 'again':
      if (!isHolder) return to('drop');
      if (!isWhole(state, one.row)) return to(one.at === 'compare' ? 'next' : 'drop');
      openRedis(state, one.row.epoch);
      return to('drop');
    case 'next': {
      const next = { epoch: state.epochs + 1, opened: false };
      if (state.row.epoch === one.row.epoch) {
        state.row = { ...next };
        state.epochs += 1;
      } else if (rules.readsBack) return to('drop');
      one.row = next;
      return to('begin');
    }
    case 'begin':
      if (!isHolder) return to('drop');
      redis.epoch = one.row.epoch;
      redis.opened = false;
      if (rules.raises) redis.last = Math.max(redis.last, state.archived);
      if (rules.rowFirst) return to('row');
      openRedis(state, one.row.epoch);
      return to('row');
    case 'row':
      if (state.row.epoch !== one.row.epoch && rules.readsBack) return to('drop');
      if (state.row.epoch === one.row.epoch) state.row.opened = true;
      return to(rules.rowFirst ? 'again' : 'drop');
    case 'drop':
      if (redis.lock === one.name) redis.lock = null;
      one.row = noRow;
      return to('idle');
  }
}

const rowText = ({ epoch, opened }: Row): string => `${epoch}${opened ? 'o' : '-'}`;
const redisText = (redis: Redis): string =>
  `${rowText(redis)}${redis.compared ? 'c' : '-'}${redis.slots}.${redis.given}.${redis.last}`;
const processText = ({ at, row }: Process): string => `${at}${rowText(row)}`;
const swapped = (lock: Redis['lock']): Redis['lock'] => (lock === 'a' ? 'b' : lock === 'b' ? 'a' : lock);

/**
 * One text for states that differ only by swapping two like processes. It must contain every field of a state. It is
 * written by hand because exploration spends most of its time here.
 */
function nameOf(state: State): string {
  const { redis, saved, row, archived, epochs, processes, numbers, losses, expiries, deaths } = state;
  const [a, b] = [processText(processes[0]!), processText(processes[1]!)];
  const savedLock = saved === null ? null : saved.lock;
  const one = `${a} ${b} ${redis.lock}${savedLock}`;
  const other = `${b} ${a} ${swapped(redis.lock)}${swapped(savedLock)}`;
  const rest = `${rowText(row)} ${archived} ${epochs} ${numbers.join()} ${losses} ${expiries} ${deaths}`;
  return `${one < other ? one : other} ${redisText(redis)} ${saved === null ? '' : redisText(saved)} ${rest}`;
}

const model = (rules: Rules): Model<State> => ({
  initial: [first],
  key: nameOf,
  next(state) {
    const steps: [string, State][] = [];
    const step = (label: string, change: (next: State) => void): void => {
      const next = copyOf(state);
      change(next);
      steps.push([label, next]);
    };
    const { redis } = state;
    for (const [i, { at, name }] of state.processes.entries()) {
      if (at !== 'idle' || redis.lock === null) step(`${name}: ${at}`, (next) => act(next, next.processes[i]!, rules));
      if (at !== 'idle' && state.deaths < most.deaths) {
        step(`${name} dies`, (next) => {
          Object.assign(next.processes[i]!, { at: 'idle', row: noRow });
          if (next.redis.lock === name) next.redis.lock = 'x';
          next.deaths += 1;
        });
      }
    }
    if (redis.lock === 'x') step('a lock of nobody runs out', (next) => (next.redis.lock = null));
    else if (redis.lock !== null && state.expiries < most.expiries) {
      step('the lock runs out', (next) => {
        next.redis.lock = null;
        next.expiries += 1;
      });
    }
    if (redis.slots !== 0 && (redis.compared || !rules.held) && state.numbers.length < most.numbers) {
      step('a number is given', (next) => {
        next.redis.given += 1;
        next.redis.last += 1;
        next.archived = Math.max(next.archived, next.redis.last);
        next.numbers = [...next.numbers, `${next.redis.slots}.${next.redis.given}`].sort();
      });
    }
    if (state.saved === null)
      step('a copy of Redis is made', (next) => (next.saved = { ...next.redis, compared: false }));
    if (state.losses < most.losses) {
      for (const [label, back] of [
        ['Redis is wiped', empty],
        ['Redis comes back older', state.saved],
      ] as const) {
        if (back !== null)
          step(label, (next) => {
            const lock = back.lock === null || !rules.ofRun ? back.lock : 'x';
            Object.assign(next, { redis: { ...back, lock }, losses: next.losses + 1 });
          });
      }
    }
    return steps;
  },
  violated({ numbers, epochs, losses }) {
    if (new Set(numbers).size < numbers.length) return 'a number was given twice';
    return epochs > 1 + losses ? 'one loss became two' : null;
  },
  resting: ({ processes, row, redis }) =>
    processes.every(({ at }) => at === 'idle') &&
    redis.lock === null &&
    row.opened &&
    redis.opened &&
    redis.slots === row.epoch,
});

describe('comparing Redis and history', () => {
  test('gives no number twice, and makes one epoch of one loss', () => {
    const result = explore(model(all), 4_000_000);
    expect(told(result)).toMatch(/^no violation/);
    expect(result.states).toBeGreaterThan(50_000);
  }, 240_000);

  test.each<[keyof Rules, string]>([
    ['fenced', 'a number was given twice'],
    ['continues', 'one loss became two'],
    ['rowFirst', 'a number was given twice'],
    ['raises', 'one loss became two'],
    ['readsBack', 'a number was given twice'],
    ['ofRun', 'a number was given twice'],
    ['held', 'a number was given twice'],
  ])(
    'without the rule "%s" %s',
    (rule, fault) => {
      expect(explore(model({ ...all, [rule]: false }), 4_000_000).violation).toBe(fault);
    },
    240_000,
  );
});
