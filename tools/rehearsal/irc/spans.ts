import { membershipKind, type MembershipBody, type Message, type SeqRange } from '../../../shared/model/model.ts';

/** The seqs that a user sees of a conversation: from its own join on, up to its own leave. Inclusive, rising. */
export type Visible = SeqRange[];

export type Memberships = {
  visible: Map<string, Visible>;
  /** The changes of each user in their order. */
  changes: Map<string, MembershipBody['action'][]>;
  /** joinedSeq of those who are members at the end. */
  present: Map<string, number>;
};

/**
 * Reads the memberships out of the conversation itself. `creators` are members from its creation, without a message.
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
 * The same seqs in as few ranges as can be, rising: a gap is announced again with every page that it reaches beyond.
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
