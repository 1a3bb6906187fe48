import { madeBy } from './log.ts';

/**
 * A node with two partitions, as its log of writes (log.ts says why). Partition p0 has the conversation `a`, p1
 * has `b`: a large group that is unloaded when idle.
 *
 *   a<id>, b<id>          a message
 *   u                     `b` is unloaded: a mark with its seq stays
 *   i<conversation><seq>  a conversation is installed from history
 *   o<gate>               both slots are opened as they are
 *   O<gate>,<epoch>,<generation of p0>,<of p1>,<stream id of p0>,<of p1>   opened after a loss
 *   F                     the node is emptied, and runs on
 */
export type ConversationName = 'a' | 'b';
export type Conversation = {
  seq: number;
  /** The epoch of its slot in which it was installed. Another one: it has to be installed first. */
  line: number;
  marked: boolean;
};
export type Partition = {
  /** The epoch of the last loss that concerned this slot. Null: its hash is gone. */
  line: number | null;
  lastId: number;
  conversation: Conversation;
};
export type Entry = { conversation: ConversationName; seq: number; id: string; streamId: number };
export type Node = {
  /** The run that the slots are open for, and the epoch. Null: Redis is empty. */
  gate: number | null;
  epoch: number | null;
  a: Partition;
  b: Partition;
  entries: readonly Entry[];
};

const fresh: Partition = { line: 0, lastId: 0, conversation: { seq: 0, line: 0, marked: false } };
const flushed: Partition = { line: null, lastId: 0, conversation: { seq: 0, line: -1, marked: false } };
const first: Node = { gate: 0, epoch: 0, a: fresh, b: fresh, entries: [] };

/** The node that a log makes. */
export const nodeOf = madeBy(first, after);

function after(node: Node, operation: string): Node {
  const rest = operation.slice(1);
  switch (operation[0]) {
    case 'a':
    case 'b':
      return appended(node, operation[0], rest);
    case 'u':
      return { ...node, b: { ...node.b, conversation: { ...node.b.conversation, marked: true } } };
    case 'i': {
      const name = rest[0] as ConversationName;
      const partition = node[name];
      const conversation = { seq: Number(rest.slice(1)), line: partition.line!, marked: false };
      return { ...node, [name]: { ...partition, conversation } };
    }
    case 'o':
      return { ...node, gate: Number(rest) };
    case 'O': {
      const [gate, epoch, lineA, lineB, lastA, lastB] = rest.split(',').map(Number) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      const a = { ...node.a, line: lineA, lastId: lastA };
      return { ...node, gate, epoch, a, b: { ...node.b, line: lineB, lastId: lastB } };
    }
    default:
      return { gate: null, epoch: null, a: flushed, b: flushed, entries: [] };
  }
}

function appended(node: Node, name: ConversationName, id: string): Node {
  const { line, lastId, conversation } = node[name];
  const seq = conversation.seq + 1;
  const partition = { line, lastId: lastId + 1, conversation: { ...conversation, seq } };
  const entries = [...node.entries, { conversation: name, seq, id, streamId: lastId + 1 }];
  return { ...node, [name]: partition, entries };
}
