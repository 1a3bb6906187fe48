import type { Item } from './item.ts';
import type { Lane } from './lanes.ts';

/** What waits to be accepted, by conversation. */
export type Queue = {
  lanes(): Lane<Item>[];
  lane(id: string): Lane<Item> | undefined;
  /** Puts it at its place in the order of sending. */
  enter(item: Item): void;
  leave(item: Item): void;
  /** A lane that holds nothing is forgotten, unless it rests. */
  tidy(lane: Lane<Item>): void;
  /** Of what waits: how many entries, and the length of their texts. */
  readonly size: number;
  readonly length: number;
};

export function createQueue(): Queue {
  const lanes = new Map<string, Lane<Item>>();
  let size = 0;
  let length = 0;

  const laneOf = (id: string): Lane<Item> => {
    let lane = lanes.get(id);
    if (lane === undefined) {
      lane = { id, items: [], onWire: new Set(), attempt: 0, resting: null, stalled: false };
      lanes.set(id, lane);
    }
    return lane;
  };

  const tidy = (lane: Lane<Item>): void => {
    if (lane.items.length === 0 && lane.resting === null) lanes.delete(lane.id);
  };

  return {
    lanes: () => [...lanes.values()],
    lane: (id) => lanes.get(id),
    enter(item) {
      const { items } = laneOf(item.entry.lane);
      const at = items.findLastIndex((one) => one.entry.order < item.entry.order) + 1;
      items.splice(at, 0, item);
      size += 1;
      length += item.size;
    },
    leave(item) {
      const lane = lanes.get(item.entry.lane);
      const at = lane?.items.indexOf(item) ?? -1;
      // Another tab's answer may have come first.
      if (lane === undefined || at === -1) return;
      lane.items.splice(at, 1);
      lane.onWire.delete(item);
      size -= 1;
      length -= item.size;
      tidy(lane);
    },
    tidy,
    get size() {
      return size;
    },
    get length() {
      return length;
    },
  };
}
