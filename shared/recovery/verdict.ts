import { isBelow } from '../model/stream-ids.ts';

/**
 * What an opener has gathered about one run of Redis. Slots are named as in history: `p3` is partition 3, `i17` is
 * inbox shard 17.
 */
export type Facts = {
  /** The number of this opening. */
  opening: number;
  /** Whether the time for reports is over. */
  timedOut: boolean;
  history: {
    epoch: string;
    /** The stream id up to which each partition is archived. Absent: nothing of it is. */
    archived: ReadonlyMap<string, string>;
    slots: ReadonlyMap<string, { gate: number; mark: number }>;
    /** Every process that may have seen numbers. `dead`: it can never report. */
    enlisted: readonly { id: string; dead: boolean }[];
  };
  redis: {
    /** Null: Redis is empty. */
    epoch: string | null;
    /** False while the slots are not all opened in this epoch. No number was given in it then. */
    opened: boolean;
    /** Every slot. `epoch` null: its hash is gone. `lastId` (of partitions) null: its stream is gone. */
    slots: ReadonlyMap<string, { epoch: string | null; mark: number; lastId: string | null }>;
  };
  /** By process. It reports once its connections to former runs are closed, so nothing it saw is missing here. */
  reports: ReadonlyMap<string, Report>;
};

export type Report = {
  /** The highest opening that the process knew of. */
  opening: number;
  /** The last stream id that it saw in each partition. */
  partitions: ReadonlyMap<string, string>;
  /** The slots in which it missed something it has seen: an inbox's head, or a large group's seq. */
  lost: readonly string[];
  /** It may have sent messages the short way, which are in inboxes before anybody has read their entries. */
  short: boolean;
};

export type Verdict =
  /** Nothing can be said before these processes have reported, are known to be dead, or the time is over. */
  | { word: 'wait'; for: string[] }
  | { word: 'open' }
  /** `shown`: something is known to be missing. `slots`: those that may have lost something. `reason`: for the log. */
  | { word: 'loss'; shown: boolean; slots: 'all' | string[]; reason: string };

/** A slot in which something is missing, and why that is known. */
type Missed = { slot: string; reason: string };

/** More reasons are only counted. */
const mostReasons = 3;

/**
 * Decides whether a run of Redis may be opened as it is. It has lost state, or must be taken to have, if
 *
 *   - its epoch is missing, or another than history's: every slot is lost;
 *   - a slot or a stream is gone, or a slot's mark is below the one in history;
 *   - a stream ends below what history or a process has seen, or a process misses something in a slot;
 *   - a process that may have seen more is dead, or was not heard of in time: every slot may have lost something;
 *   - a shard has lost something, and messages may have gone the short way: every partition may have lost something. An
 *     inbox may have shown a message that nobody has seen in its partition.
 *
 * _Must hold:_ a slot is left out of a loss only when every process has been heard. Apart from the short way, what is
 * missing in one slot says nothing about the others. So a loss in some slots waits for the reports, like an opening. A
 * loss of every slot waits for nothing.
 *
 * Reports for an earlier opening do not count: such a process may still use a connection to a former run. The report of
 * a process that died afterwards counts.
 *
 * After a loss, the slots must be opened with marks and stream ids that are not below those in `facts`. Otherwise the
 * next opening finds the same loss again.
 */
export function verdict(facts: Facts): Verdict {
  const foreign = foreignEpoch(facts);
  if (foreign !== null) return { word: 'loss', shown: true, slots: 'all', reason: foreign };

  const reports = [...facts.reports].filter(([, { opening }]) => opening >= facts.opening);
  const slots = [...slotsOf(facts)];
  const missed = slots.flatMap((slot) => {
    const reason = missingIn(slot, facts, reports);
    return reason === null ? [] : [{ slot, reason }];
  });
  const shown = [...missed, ...besideShards(slots, missed, reports)];

  const heard = new Set(reports.map(([id]) => id));
  const unheard = facts.history.enlisted.filter(({ id }) => !heard.has(id));
  const missing = unheard.filter(({ dead }) => dead || facts.timedOut).map(({ id }) => id);
  if (missing.length > 0) {
    const reason = `not heard of: ${listed(missing)}`;
    return {
      word: 'loss',
      shown: shown.length > 0,
      slots: 'all',
      reason: shown.length === 0 ? reason : `${reasonsOf(shown)}; ${reason}`,
    };
  }
  if (unheard.length > 0) return { word: 'wait', for: unheard.map(({ id }) => id) };
  if (shown.length === 0) return { word: 'open' };
  return { word: 'loss', shown: true, slots: shown.map(({ slot }) => slot), reason: reasonsOf(shown) };
}

function foreignEpoch({ history, redis }: Facts): string | null {
  if (redis.epoch === null) return 'Redis is empty and history is not';
  return redis.epoch === history.epoch ? null : 'Redis is of another epoch than history';
}

/** A slot that only history knows is gone in Redis. */
function slotsOf({ history, redis }: Facts): Set<string> {
  return new Set([...redis.slots.keys(), ...history.slots.keys(), ...history.archived.keys()]);
}

/** What is known to be missing in a slot, or null. */
function missingIn(slot: string, { history, redis }: Facts, reports: readonly [string, Report][]): string | null {
  const here = redis.slots.get(slot);
  if (here === undefined) return `${slot} is gone`;
  const isOfEpoch = here.epoch === history.epoch;
  if (redis.opened && !isOfEpoch) return here.epoch === null ? `${slot} is gone` : `${slot} is of another epoch`;
  // A slot that is not opened yet gets its mark when it is.
  const mark = history.slots.get(slot)?.mark ?? 0;
  if (isOfEpoch && here.mark < mark) return `${slot} has mark ${here.mark}, history has ${mark}`;
  if (isPartition(slot)) {
    if (here.lastId === null && redis.opened) return `the stream of ${slot} is gone`;
    const last = here.lastId ?? '0-0';
    const archived = history.archived.get(slot);
    if (archived !== undefined && isBelow(last, archived)) return `${slot} ends at ${last}, history has ${archived}`;
    for (const [id, { partitions }] of reports) {
      const seen = partitions.get(slot);
      if (seen !== undefined && isBelow(last, seen)) return `${slot} ends at ${last}, ${id} has seen ${seen}`;
    }
  }
  const witness = reports.find(([, { lost }]) => lost.includes(slot));
  return witness === undefined ? null : `${witness[0]} misses in ${slot} what it has seen`;
}

/** The partitions that may have lost something because a shard has. */
function besideShards(slots: string[], missed: readonly Missed[], reports: readonly [string, Report][]): Missed[] {
  const shard = missed.find(({ slot }) => !isPartition(slot));
  if (shard === undefined || !reports.some(([, { short }]) => short)) return [];
  const known = new Set(missed.map(({ slot }) => slot));
  return slots
    .filter((slot) => isPartition(slot) && !known.has(slot))
    .map((slot) => ({ slot, reason: `${slot} may lack what was seen in ${shard.slot}` }));
}

function isPartition(slot: string): boolean {
  return slot.startsWith('p');
}

function reasonsOf(shown: readonly { reason: string }[]): string {
  return listed(
    shown.map(({ reason }) => reason),
    '; ',
  );
}

function listed(texts: readonly string[], separator = ', '): string {
  const more = texts.length - mostReasons;
  return texts.slice(0, mostReasons).join(separator) + (more > 0 ? ` and ${more} more` : '');
}
