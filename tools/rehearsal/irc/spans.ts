import { membershipKind, type MembershipBody, type Message, type SeqRange } from '../../../shared/model/model.ts';

/** The seqs of a conversation that a user sees: from its own join to its own leave. Inclusive, rising. */
export type Visible = SeqRange[];

export type Memberships = {
  visible: Map<string, Visible>;
  /** The changes of each user, in order. */
  changes: Map<string, MembershipBody['action'][]>;
  /** joinedSeq of the users who are members at the end. */
  present: Map<string, number>;
};

/**
 * Derives memberships from the messages of the conversation. `creators` are founding members, without a join message.
 */
export function membershipsOf(messages: Iterable<Message>, creators: string[], lastSeq: number): Memberships {
  const visible = new Map<string, Visible>();
  const changes = new Map<string, MembershipBody['action'][]>();
  const present = new Map<string, number>();
  const push = <T>(into: Map<string, T[]>, user: string, value: T): void => {
    const list = into.get(user);
    if (list === undefined) into.set(user, [value]);
    else list.push(value);
  };
  for (const user of creators) present.set(user, 0);
  for (const message of messages) {
    if (message.kind !== membershipKind) continue;
    const { user, action } = message.body as MembershipBody;
    push(changes, user, action);
    const joined = present.get(user);
    if (action === 'joined') present.set(user, joined ?? message.seq - 1);
    else if (joined !== undefined) {
      push(visible, user, { fromSeq: joined + 1, toSeq: message.seq });
      present.delete(user);
    }
  }
  for (const [user, joined] of present) push(visible, user, { fromSeq: joined + 1, toSeq: lastSeq });
  return { visible, changes, present };
}

export const covers = (ranges: readonly SeqRange[], seq: number): boolean =>
  ranges.some((range) => range.fromSeq <= seq && seq <= range.toSeq);

export function* seqsOf(ranges: readonly SeqRange[]): Generator<number> {
  for (const { fromSeq, toSeq } of ranges) for (let seq = fromSeq; seq <= toSeq; seq++) yield seq;
}

/**
 * Merges ranges into as few as possible, rising: a gap that extends past a page is announced again with the next one.
 */
export function merged(ranges: readonly SeqRange[]): SeqRange[] {
  const found: SeqRange[] = [];
  for (const { fromSeq, toSeq } of ranges.toSorted((one, other) => one.fromSeq - other.fromSeq)) {
    const last = found.at(-1);
    if (last !== undefined && fromSeq <= last.toSeq + 1) last.toSeq = Math.max(last.toSeq, toSeq);
    else found.push({ fromSeq, toSeq });
  }
  return found;
}
