import type { ConversationName, Entry } from './gate-slots-node.ts';

/** What can be left out of the gate over two slots (gate-slots.ts). */
export type Rules = {
  /** The last stream id that a process saw in a partition is evidence for that partition. */
  perSlot: boolean;
  /** A slot is left out of a loss only when every process was heard. */
  everybody: boolean;
  /** The seqs of a large group that a gateway was pushed are evidence. */
  seats: boolean;
  /** What a gateway has read for a page is evidence. */
  pages: boolean;
  /** Evidence that is not a stream id is forgotten when its slot has lost something. */
  forgets: boolean;
  /** A script gives no number in a slot whose hash is gone. */
  closed: boolean;
  /** A conversation whose mark is of an earlier epoch of its slot jumps. */
  marks: boolean;
};
export const all: Rules = {
  perSlot: true,
  everybody: true,
  seats: true,
  pages: true,
  forgets: true,
  closed: true,
  marks: true,
};

/** How often a thing may happen. */
export type Bounds = { sends: number; crashes: number; flushes: number; unloads: number; reads: number };

export type Gateway = {
  /** The last stream ids that it saw. */
  ids: Record<ConversationName, number>;
  /** The seq of the large group that its seats have come to. */
  seat: number;
  /** The opening that it has reported for. */
  reported: number;
};
export type Seen = { conversation: ConversationName; seq: number; id: string };
export type State = {
  run: number;
  /** The run that the slots are open for; a node that comes back is another one. */
  openRun: number;
  log: string;
  gateways: readonly Gateway[];
  opening: 'none' | 'begun' | 'whole' | 'loss';
  lost: string;
  gate: number;
  epoch: number;
  archived: readonly Entry[];
  /** What a client was told: answers with their epoch, and what others have read or were pushed. */
  accepted: readonly (Seen & { epoch: number })[];
  shown: readonly Seen[];
  harmed: boolean;
  fault: string;
  left: Bounds;
};

export type Step = readonly [label: string, state: State];

export const names = ['a', 'b'] as const;
export const slotNames = { a: 'p0', b: 'p1' } as const;
/** After a loss, numbers go on this far above everything known. */
export const jump = 10;
