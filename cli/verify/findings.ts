/** What an audit can find, and what each finding means. */
export const kinds = {
  missing_seqs: 'seqs that are in no block, not skipped, and not on their way to history',
  seq_behind: 'history has a higher seq than Redis: it may be given again',
  misplaced_text: 'a text in a block that is not the message of its place',
  doubled_id: 'a message id that does not rise with the seq, or a seq with two ids',
  missing_amendment: 'an amendment that history has no row of: what it recalls or edits is read as it was',
  old_body: 'a body that a block still holds although it was recalled or edited long ago; nobody is shown it',
  missing_positions: 'positions up to the head that are neither an entry nor in a gap',
  head_behind: 'an entry or a gap above the head: positions may be given again',
  device_ahead: 'a device whose position is above the head',
  missing_in_inbox: "seqs of a user's membership that are neither in the inbox nor in a gap",
  inbox_behind: 'an inbox that ends before the last message that the fanout has settled',
  inbox_order: 'an inbox whose entries of a conversation do not rise, or cannot be read',
  foreign_entry: 'an inbox entry of a time in which the user was no member',
  wrong_count: 'a number of entries beside the inbox that is not that of its entries',
  wrong_unread: 'a read seq beyond the conversation, or an unread count below zero',
  wrong_overlay:
    'an amendment that does not lie over its message in an inbox, or one that lies there without its entry',
  wrong_unsettled: 'a backlog counter that is not what the group has to settle',
  stream_behind: 'a stream that ends before what history has recorded as progress',
  other_epoch: 'Redis and history name different epochs',
  wrong_dead_letters: 'counts of dead letters that are not those of the letters',
} as const;

export type Kind = keyof typeof kinds;

/** `where` names the conversation, user or partition; `what` the seqs or positions. */
export type Finding = { kind: Kind; where: string; what: string };

/** So many findings of a kind are named; the others are only counted. */
const mostNamed = 100;

export type Findings = {
  readonly total: number;
  /** How many of each kind there are; kinds without any are left out. */
  readonly counts: ReadonlyMap<Kind, number>;
  readonly named: readonly Finding[];
  add(found: readonly Finding[]): void;
};

export function createFindings(): Findings {
  const counts = new Map<Kind, number>();
  const named: Finding[] = [];
  let total = 0;
  return {
    get total() {
      return total;
    },
    counts,
    named,
    add(found) {
      for (const one of found) {
        const count = (counts.get(one.kind) ?? 0) + 1;
        counts.set(one.kind, count);
        total += 1;
        if (count <= mostNamed) named.push(one);
      }
    },
  };
}

const idOf = ({ kind, where, what }: Finding): string => `${kind} ${where} ${what}`;

/** Those of `before` that `now` has too. */
export function stillFound(before: readonly Finding[], now: readonly Finding[]): Finding[] {
  const ids = new Set(now.map(idOf));
  return before.filter((one) => ids.has(idOf(one)));
}
