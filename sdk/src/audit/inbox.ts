import type { Item, Message } from '../wire.ts';

/** What a server must never do to one device, as its connection sees it. */
export type InboxViolation =
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

export type InboxAudit = {
  /** A connection begins behind this position. In another epoch, or after a reset, positions begin anew. */
  welcomed(welcome: { epoch: string; reset?: boolean | undefined }, position: number): void;
  /**
   * An item came; true if its message was not here. One of a page must lie behind the position that the page was asked
   * for.
   */
  item(item: Item, pageAfter?: number): boolean;
  /** A gap of a page, which must lie there too. */
  gap(position: number, pageAfter: number): void;
  /** The device read this from history; true if it was not here. */
  fetched(message: Message): boolean;
  /** The device sent this itself, and it was accepted: a later delivery of it is no news. */
  own(message: Pick<Message, 'conversation' | 'seq' | 'id'>): void;
  /** Whether the message is here, whichever way it came. */
  has(conversation: string, seq: number): boolean;
  /** `received` for this position was written to the socket. */
  told(position: number): void;
};

/** How long after `received` a repetition may still be on its way. The server stores it within 200 ms. */
const graceMs = 1000;

/** `place` is undefined for what has not come as an item in this epoch. */
type Known = { id: string; place: Place | undefined };

/**
 * Checks what one device gets of its inbox: positions, order, and each message once. Pure: `now` is in milliseconds by
 * any clock.
 */
export function auditInbox(report: (violation: InboxViolation) => void, now: () => number): InboxAudit {
  const seen = new Map<string, Map<number, Known>>();
  const highest = new Map<string, number>();
  let epoch: string | undefined;
  /** What the server must have stored by now, and what it will have after the grace. */
  let stored = 0;
  let storing: { position: number; at: number }[] = [];

  const knownIn = (conversation: string): Map<number, Known> => {
    let known = seen.get(conversation);
    if (known === undefined) seen.set(conversation, (known = new Map()));
    return known;
  };

  const storedByNow = (): number => {
    while (storing[0] !== undefined && now() - storing[0].at >= graceMs)
      stored = Math.max(stored, storing.shift()!.position);
    return stored;
  };

  const checkPosition = (position: number, received: number): void => {
    if (position <= received) report({ kind: 'regress', position, received });
  };

  /** Messages outlive an epoch, what was known about their places does not. */
  const forgetPlaces = (): void => {
    highest.clear();
    for (const known of seen.values()) for (const one of known.values()) one.place = undefined;
  };

  const checkId = ({ conversation, seq, id }: Pick<Message, 'conversation' | 'seq' | 'id'>, known: Known): void => {
    if (known.id !== id) report({ kind: 'contradiction', conversation, seq, ids: [known.id, id] });
  };

  return {
    welcomed(welcome, position) {
      if (welcome.reset === true || (epoch !== undefined && epoch !== welcome.epoch)) forgetPlaces();
      epoch = welcome.epoch;
      stored = position;
      storing = [];
    },
    item({ position, message }, pageAfter) {
      const { conversation, seq, id } = message;
      const place = position ?? null;
      const known = knownIn(conversation);
      const before = known.get(seq);
      if (position !== undefined) checkPosition(position, pageAfter ?? storedByNow());
      if (before !== undefined) {
        checkId(message, before);
        // An inbox may give a position again until it is received; without one nothing is ever sent again.
        if (before.place !== undefined && (before.place !== place || place === null))
          report({ kind: 'repeated', conversation, seq, positions: [before.place, place] });
        before.id = id;
        if (before.place === undefined) before.place = place;
        return false;
      }
      known.set(seq, { id, place });
      const after = highest.get(conversation) ?? 0;
      if (seq < after) report({ kind: 'disorder', conversation, seq, after });
      else highest.set(conversation, seq);
      return true;
    },
    gap: checkPosition,
    fetched(message) {
      const { conversation, seq, id } = message;
      const known = knownIn(conversation);
      const before = known.get(seq);
      if (before === undefined) known.set(seq, { id, place: undefined });
      else {
        // What is known from before this epoch may have been replaced since.
        if (before.place !== undefined) checkId(message, before);
        before.id = id;
      }
      return before === undefined;
    },
    own(message) {
      const { conversation, seq, id } = message;
      const known = knownIn(conversation);
      const before = known.get(seq);
      if (before === undefined) known.set(seq, { id, place: undefined });
      else checkId(message, before);
    },
    has: (conversation, seq) => seen.get(conversation)?.has(seq) === true,
    told(position) {
      storing.push({ position, at: now() });
    },
  };
}
