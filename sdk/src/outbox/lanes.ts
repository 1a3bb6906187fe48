import type { OutboxEntry } from './entry.ts';

/** The entries of one conversation, in the order of sending. */
export type Lane<Item> = {
  readonly id: string;
  readonly items: Item[];
  /** Those of its items that are on the wire, in the order in which they went there. */
  readonly onWire: Set<Item>;
  /** Refusals in a row. */
  attempt: number;
  /** Waits after a refusal; the function ends the wait. */
  resting: (() => void) | null;
  /** Something was refused while others are on the wire behind it. */
  stalled: boolean;
};

type Sendable = { entry: OutboxEntry; isStored: boolean };

export type TurnOptions<Item> = {
  /** So many lanes may have something on the wire, and so many entries of one. */
  lanes: number;
  perLane: number;
  /** A lane whose head is of low priority waits. */
  isHeld(head: Item): boolean;
  isFocused(lane: string): boolean;
};

const rankOf = (lane: Lane<Sendable>, isFocused: (lane: string) => boolean): number => {
  const head = lane.items[0]!.entry;
  if (head.priority === 'high' || head.class === 'important' || isFocused(lane.id)) return 0;
  return head.priority === 'normal' ? 1 : 2;
};

/**
 * What may go on the wire now, first things first: by class, then the lane whose head waits longest. Within a lane only
 * the entries directly behind those that are on the wire.
 */
export function inTurn<Item extends Sendable>(
  all: Lane<Item>[],
  { lanes, perLane, isHeld, isFocused }: TurnOptions<Item>,
): { lane: Lane<Item>; item: Item }[] {
  let free = lanes - all.filter(({ onWire }) => onWire.size > 0).length;
  const ready = all
    .filter((lane) => lane.items.length > 0 && lane.resting === null && !lane.stalled)
    .map((lane) => ({ lane, rank: rankOf(lane, isFocused) }))
    .filter(({ lane, rank }) => rank < 2 || !isHeld(lane.items[0]!))
    .toSorted(
      (one, other) => one.rank - other.rank || one.lane.items[0]!.entry.order - other.lane.items[0]!.entry.order,
    );
  const turn: { lane: Lane<Item>; item: Item }[] = [];
  for (const { lane } of ready) {
    const { onWire } = lane;
    if (onWire.size === 0 && free <= 0) continue;
    const next = lane.items.slice(0, perLane);
    const open = next.findIndex((item) => !onWire.has(item));
    // One that is on the wire behind one that is not belongs to an earlier try: its answer is awaited.
    if (open === -1 || next.slice(open).some((item) => onWire.has(item))) continue;
    const unstored = next.findIndex((item) => !item.isStored);
    const going = next.slice(open, unstored === -1 ? next.length : unstored);
    if (going.length === 0) continue;
    if (onWire.size === 0) free--;
    turn.push(...going.map((item) => ({ lane, item })));
  }
  return turn;
}
