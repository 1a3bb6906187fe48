import { madeBy } from './log.ts';

/**
 * A node of Redis as its log of writes (log.ts says why):
 *
 *   M<id>                             a message gets the next seq
 *   O<run>,<gate>,<epoch>,<seq>,<mark>  the slot is opened; in another epoch seqs go on from `seq`
 *   B                                 a mark, of a process that leaves or was dismissed
 *   R<process>, L<process>            a process enlists in Redis, or leaves there
 */
export type Entry = { seq: number; id: string };
export type Slot = {
  /** The run of Redis for which the slot is open, and under which opening. */
  open: number;
  gate: number;
  epoch: number;
  seq: number;
  mark: number;
  entries: readonly Entry[];
  enlisted: readonly string[];
};

const empty: Slot = { open: 1, gate: 0, epoch: 0, seq: 0, mark: 0, entries: [], enlisted: [] };

/** The slot that a log makes. */
export const slotOf = madeBy(empty, after);

function after(slot: Slot, operation: string): Slot {
  const what = operation.slice(1);
  switch (operation[0]) {
    case 'M':
      return { ...slot, seq: slot.seq + 1, entries: [...slot.entries, { seq: slot.seq + 1, id: what }] };
    case 'O': {
      const [open, gate, epoch, seq, mark] = what.split(',').map(Number) as [number, number, number, number, number];
      return {
        ...slot,
        open,
        gate,
        epoch,
        seq: epoch === slot.epoch ? slot.seq : seq,
        mark: Math.max(slot.mark, mark),
      };
    }
    case 'B':
      return { ...slot, mark: slot.mark + 1 };
    case 'R':
      return { ...slot, enlisted: [...slot.enlisted.filter((id) => id !== what), what] };
    default:
      return { ...slot, enlisted: slot.enlisted.filter((id) => id !== what) };
  }
}
