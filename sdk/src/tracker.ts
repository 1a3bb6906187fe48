import type { Gap, Item, Message, Mode } from './wire.ts';

/**
 * What a device knows of its inbox: how far it has come, which messages it has, and whether the server keeps its
 * promises about positions and order. Pure: no I/O, and the time is handed in.
 */
export type Violation =
  /** Something at or below a position that the server must have stored came again. */
  | { kind: 'regress'; position: number; received: number }
  /** The first delivery of a seq after that of a higher one. */
  | { kind: 'disorder'; conversation: string; seq: number; after: number }
  /** One message twice in an epoch: at two positions, twice without one (null), or once with and once without. */
  | { kind: 'repeated'; conversation: string; seq: number; positions: [Place, Place] }
  /** One (conversation, seq) with two ids in an epoch. */
  | { kind: 'contradiction'; conversation: string; seq: number; ids: [string, string] };

/** Where an item came: its position, or null for one of a conversation too large for inboxes. */
type Place = number | null;

export type Tracker = {
  readonly position: number;
  readonly epoch: string | undefined;
  /** The highest position to confirm, and whether it is higher than what was confirmed on this connection. */
  readonly confirmable: { position: number; due: boolean };
  /** A welcome arrived. `asked` is the position that this connection's hello named. */
  welcomed(welcome: { epoch: string; position: number; reset?: boolean | undefined }, asked: number | undefined): void;
  /** Takes an item of a deliver frame or a page; true when the device did not have the message. */
  item(item: Item, live: boolean, now: number): boolean;
  gap(gap: Gap, live: boolean): void;
  /** A page was read to its end. */
  pageRead(next: number): void;
  /** Takes what the device read from history; true when it did not have the message. */
  fetched(message: Message): boolean;
  /** Whether the device has it, whichever way it came: as an item, from history, or as its own. */
  has(conversation: string, seq: number): boolean;
  /** A message that this device itself sent and got accepted: a later delivery of it is a repetition. */
  own(message: { conversation: string; seq: number; id: string }): void;
  /** `received` for this position was written to the socket. */
  confirmed(position: number, now: number): void;
};

export type TrackerOptions = {
  mode: Mode;
  position?: number;
  epoch?: string;
  /** How long after `received` a repetition may still be on its way. The server stores it within 200 ms. */
  regressGraceMs?: number;
  violation?(violation: Violation): void;
};

/** `place` is undefined for what has not come as an item in this epoch. */
type Known = { id: string; place: Place | undefined };

export function createTracker(options: TrackerOptions): Tracker {
  const { mode, regressGraceMs = 1000, violation = () => {} } = options;
  const seen = new Map<string, Map<number, Known>>();
  const highest = new Map<string, number>();
  let position = options.position ?? 0;
  let epoch = options.epoch;
  /** Highest position seen on this connection, live or not. */
  let reached = 0;
  let sent = 0;
  /** What the server must have stored by now, and what it will have after the grace. */
  let stored = 0;
  let storing: { position: number; at: number }[] = [];

  const knownIn = (conversation: string): Map<number, Known> => {
    let known = seen.get(conversation);
    if (known === undefined) seen.set(conversation, (known = new Map()));
    return known;
  };

  const move = (to: number, live: boolean): void => {
    reached = Math.max(reached, to);
    if (mode !== 'lazy' || !live) position = Math.max(position, to);
  };

  const checkRegress = (at: number, now: number): void => {
    while (storing[0] !== undefined && now - storing[0].at >= regressGraceMs)
      stored = Math.max(stored, storing.shift()!.position);
    if (at <= stored) violation({ kind: 'regress', position: at, received: stored });
  };

  /** Messages outlive an epoch, what was known about their places does not. */
  const forgetPlaces = (): void => {
    highest.clear();
    for (const known of seen.values()) for (const one of known.values()) one.place = undefined;
  };

  return {
    get position() {
      return position;
    },
    get epoch() {
      return epoch;
    },
    get confirmable() {
      return { position: reached, due: reached > sent };
    },
    welcomed(welcome, asked) {
      if (welcome.reset === true || (epoch !== undefined && epoch !== welcome.epoch)) {
        position = 0;
        stored = 0;
        forgetPlaces();
      } else {
        // Lazy delivery begins with what is new, whatever the position is, so there is no bound to hold the server to.
        if (asked === undefined) position = Math.max(position, welcome.position);
        stored = mode === 'lazy' ? 0 : position;
      }
      epoch = welcome.epoch;
      reached = mode === 'lazy' ? 0 : position;
      sent = reached;
      storing = [];
    },
    item({ position: at, message }, live, now) {
      const { conversation, seq, id } = message;
      const place = at ?? null;
      const known = knownIn(conversation);
      const before = known.get(seq);
      if (at !== undefined) {
        if (live) checkRegress(at, now);
        move(at, live);
      }
      if (before !== undefined) {
        if (before.id !== id) violation({ kind: 'contradiction', conversation, seq, ids: [before.id, id] });
        // An inbox may give a position again until it is received; without one nothing is ever sent again.
        if (before.place !== undefined && (before.place !== place || place === null)) {
          violation({ kind: 'repeated', conversation, seq, positions: [before.place, place] });
        }
        before.id = id;
        if (before.place === undefined) before.place = place;
        return false;
      }
      known.set(seq, { id, place });
      const after = highest.get(conversation) ?? 0;
      if (seq < after) violation({ kind: 'disorder', conversation, seq, after });
      else highest.set(conversation, seq);
      return true;
    },
    fetched({ conversation, seq, id }) {
      const known = knownIn(conversation);
      const before = known.get(seq);
      if (before === undefined) {
        known.set(seq, { id, place: undefined });
        return true;
      }
      // What is known from before this epoch may have been replaced since.
      if (before.id !== id && before.place !== undefined)
        violation({ kind: 'contradiction', conversation, seq, ids: [before.id, id] });
      before.id = id;
      return false;
    },
    has: (conversation, seq) => seen.get(conversation)?.has(seq) === true,
    gap(gap, live) {
      move(gap.position, live);
    },
    pageRead(next) {
      move(next, false);
    },
    own({ conversation, seq, id }) {
      const known = knownIn(conversation);
      const before = known.get(seq);
      if (before !== undefined && before.id !== id)
        violation({ kind: 'contradiction', conversation, seq, ids: [before.id, id] });
      if (before === undefined) known.set(seq, { id, place: undefined });
    },
    confirmed(at, now) {
      sent = Math.max(sent, at);
      if (mode !== 'lazy') storing.push({ position: at, at: now });
    },
  };
}
