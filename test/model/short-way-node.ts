import { madeBy } from './log.ts';

/**
 * A node with a partition and an inbox shard, as its log of writes (log.ts says why). One direct conversation, and
 * the inbox of one of its two users.
 *
 *   S<id>             a message goes the short way: its entry and the append are one step
 *   P<id>             the same, and the fanout's group is moved past the entry in that step
 *   M<id>             the same without the append, which is a step of its own if that rule is left out
 *   L<id>             a message goes the long way: its entry
 *   A<id>             the fanout appends it, or finds it there
 *   T<id>             the fanout settles its entry
 *   i<seq>            the conversation is installed in the line of its partition, with this seq
 *   G<ids>            the user is loaded: these messages, which history has, become gaps
 *   o<run>            both slots are opened as they are
 *   O<run>,<epoch>,<line of the partition>,<line of the shard>,<stream id>   they are opened after a loss
 */
export type Entry = { id: string; seq: number; streamId: number; marked: boolean };
export type Item = { id: string; seq: number; position: number };
export type Node = {
  open: number;
  epoch: number;
  /** Epochs of the last losses of the partition and of the shard. */
  lines: { partition: number; shard: number };
  conversation: { seq: number; line: number };
  lastId: number;
  entries: readonly Entry[];
  settled: readonly string[];
  inbox: { head: number; line: number; last: number; items: readonly Item[]; gaps: readonly string[] };
  /** After a loss, the user has to be loaded. */
  behind: boolean;
};

/** After a loss, numbers go on this far above everything known. */
export const jump = 10;

const first: Node = {
  open: 1,
  epoch: 0,
  lines: { partition: 0, shard: 0 },
  conversation: { seq: 0, line: 0 },
  lastId: 0,
  entries: [],
  settled: [],
  inbox: { head: 0, line: 0, last: 0, items: [], gaps: [] },
  behind: false,
};

/** The node that a log makes. */
export const nodeOf = madeBy(first, after);

function accepted(node: Node, id: string, marked: boolean): Node {
  const seq = node.conversation.seq + 1;
  const streamId = node.lastId + 1;
  return {
    ...node,
    conversation: { ...node.conversation, seq },
    lastId: streamId,
    entries: [...node.entries, { id, seq, streamId, marked }],
  };
}

/** `enters`: a user of an earlier line begins above every position that may have been given. */
function appended(node: Node, id: string, enters: boolean): Node {
  const { inbox, lines } = node;
  const { seq } = node.entries.find((entry) => entry.id === id)!;
  if (inbox.last >= seq) return node;
  const isOther = enters && inbox.line !== lines.shard;
  const position = inbox.head + 1 + (isOther ? jump * lines.shard : 0);
  const line = enters ? lines.shard : inbox.line;
  const items = [...inbox.items, { id, seq, position }];
  return { ...node, inbox: { ...inbox, head: position, line, last: seq, items } };
}

function after(node: Node, operation: string): Node {
  const rest = operation.slice(1);
  switch (operation[0]) {
    case 'S':
      return appended(accepted(node, rest, true), rest, false);
    case 'P': {
      const short = appended(accepted(node, rest, true), rest, false);
      return { ...short, settled: [...short.settled, rest] };
    }
    case 'M':
      return accepted(node, rest, true);
    case 'L':
      return accepted(node, rest, false);
    case 'A':
      return appended(node, rest, true);
    case 'T':
      return { ...node, settled: [...node.settled, rest] };
    case 'i':
      return { ...node, conversation: { seq: Number(rest), line: node.lines.partition } };
    case 'G': {
      const gaps = [...node.inbox.gaps, ...rest.split(',').filter((id) => id !== '')];
      return { ...node, behind: false, inbox: { ...node.inbox, gaps } };
    }
    case 'o':
      return { ...node, open: Number(rest) };
    default: {
      const [open, epoch, partition, shard, lastId] = rest.split(',').map(Number) as [
        number,
        number,
        number,
        number,
        number,
      ];
      return { ...node, open, epoch, lines: { partition, shard }, lastId, behind: true };
    }
  }
}

export const isHeld = ({ inbox }: Node, id: string): boolean =>
  inbox.items.some((item) => item.id === id) || inbox.gaps.includes(id);
