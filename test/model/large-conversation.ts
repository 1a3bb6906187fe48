/**
 * Shared by the two models of large groups: the conversation C in its slot, and its data in the slot of one user U.
 * Every function here is one atomic script.
 */

/** `joined < seq <= left`; `left` is OPEN while the user is a member. */
export type Span = readonly [joined: number, left: number];
export const OPEN = 99;
/** The value of `large` while the conversation is not large. */
export const SMALL = -1;

export type Way = 'inboxes' | 'grown' | 'large' | 'shrunk';
/** The kind of an entry: a message, a change of another member, or a change of U. */
export type Kind = 'message' | 'other' | 'joins' | 'leaves';
export type Entry = readonly [way: Way, prev: number, kind: Kind, version: number];

export type Conversation = {
  /** The stream: the entry of seq s is `log[s - 1]`, and `log.length` is the seq. */
  log: readonly Entry[];
  large: number;
  spans: readonly Span[];
  /** All of the above in a few letters. It follows from the initial conversation and the accepted entries. */
  story: string;
};

/** A conversation before its first message. */
export const created = (large: number, member: boolean): Conversation => ({
  log: [],
  large,
  spans: member ? [[0, OPEN]] : [],
  story: `${large}${member ? 'm' : '-'}`,
});

export type UserSlot = {
  last: number;
  /** Whether C is in the field `larges`. */
  listed: boolean;
  /** The inbox: position p is `inbox[p - 1]`. For an item, both `from` and `to` are its seq. */
  inbox: readonly (readonly [kind: 'item' | 'gap', from: number, to: number])[];
};

/** Small numbers as one letter each. */
export const letters = (...numbers: number[]): string => String.fromCharCode(...numbers.map((one) => one + 1));

export const versionOf = (conversation: Conversation): number => conversation.log.at(-1)?.[3] ?? 0;
export const covers = (spans: readonly Span[], seq: number): boolean =>
  spans.some(([joined, left]) => joined < seq && seq <= left);
export const isMember = (spans: readonly Span[]): boolean => spans.at(-1)?.[1] === OPEN;

/** The accept script. `wants`: whether the group is now above the threshold, whatever the reason. */
export function accept(
  conversation: Conversation,
  kind: Kind,
  wants: boolean,
  shrunkAfterSeqBefore: boolean,
): Conversation {
  const { log, large, spans, story } = conversation;
  const seq = log.length + 1;
  const was = large !== SMALL;
  const way: Way = was ? (wants ? 'large' : 'shrunk') : wants ? 'grown' : 'inboxes';
  const prev = way === 'large' || (way === 'shrunk' && !shrunkAfterSeqBefore) ? large : seq - 1;
  const changed: readonly Span[] =
    kind === 'joins'
      ? [...spans, [seq - 1, OPEN]]
      : kind === 'leaves'
        ? [...spans.slice(0, -1), [spans.at(-1)![0], seq]]
        : spans;
  return {
    log: [...log, [way, prev, kind, versionOf(conversation) + (kind === 'message' ? 0 : 1)]],
    large: way === 'grown' ? seq : way === 'shrunk' ? SMALL : large,
    spans: changed,
    story: story + (wants ? kind[0]!.toUpperCase() : kind[0]!),
  };
}

/** Every entry that may be accepted next. */
export const acceptable = ({ spans }: Conversation): Kind[] => [
  'message',
  'other',
  isMember(spans) ? 'leaves' : 'joins',
];

export type Appended = { user: UserSlot; outcome: 'appended' | 'skipped' | 'hole' | 'not for U' };

/** Compare-and-append of one entry to U's inbox, by the spans that the fanout has read. */
export function append(
  user: UserSlot,
  seq: number,
  [way, prev, kind]: Entry,
  spans: readonly Span[],
  listedWhenSkipped: boolean,
): Appended {
  const span = spans.find(([joined, left]) => joined < seq && seq <= left);
  const own = kind === 'joins' || kind === 'leaves';
  if (span === undefined || (way === 'large' && !own)) return { user, outcome: 'not for U' };
  const listed =
    way === 'shrunk'
      ? false
      : way === 'grown'
        ? kind !== 'leaves' || user.listed
        : way === 'large'
          ? kind === 'joins'
          : user.listed;
  const last = Math.max(user.last, span[0]);
  if (last >= seq) return { user: listedWhenSkipped ? { ...user, listed } : user, outcome: 'skipped' };
  if (last < prev) return { user, outcome: 'hole' };
  const gap: UserSlot['inbox'] = last + 1 < seq ? [['gap', last + 1, seq - 1]] : [];
  return { user: { last: seq, listed, inbox: [...user.inbox, ...gap, ['item', seq, seq]] }, outcome: 'appended' };
}

/** A review's reads of C: first the seq, and only then the rest. `last` is U's, read before both. */
export type Read = { last: number; seq: number; large: number; spans: readonly Span[]; version: number };
export const nothingRead: Read = { last: 0, seq: 0, large: SMALL, spans: [], version: 0 };

/** How far a catch-up may reach: never past a change of U itself, which must come through the inbox. */
export function reachOf({ last, seq, spans }: Read, overOwnChanges: boolean): number {
  const end = Math.min(seq, spans.at(-1)?.[1] ?? 0);
  if (overOwnChanges) return end;
  const changes = spans.flatMap(([joined, left], index) => [...(index === 0 ? [] : [joined + 1]), left]);
  return Math.min(end, ...changes.filter((change) => change > last).map((change) => change - 1));
}

/** The catch-up script. */
export function catchUp(user: UserSlot, large: number, reach: number, whateverSince: boolean): UserSlot {
  if (!user.listed || large === SMALL || user.last >= reach) return user;
  if (large > user.last && !whateverSince) return user;
  return { ...user, last: reach, inbox: [...user.inbox, ['gap', user.last + 1, reach]] };
}
