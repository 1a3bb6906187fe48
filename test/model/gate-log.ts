/**
 * A node of Redis as its log of writes. A node that dies comes back with a beginning of its log: a cut append-only
 * file, a replica that lagged and an older snapshot are all of this form. So of every slot, the last thing seen stands
 * for all before it.
 *
 * A log is a text of operations, so that it can be part of a state's key:
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
const known = new Map<string, Slot>([['', empty]]);

/** The slot that a log makes. Logs are few, so they are remembered. */
export function slotOf(log: string): Slot {
  const remembered = known.get(log);
  if (remembered !== undefined) return remembered;
  const at = log.lastIndexOf(' ');
  const slot = after(slotOf(at < 0 ? '' : log.slice(0, at)), log.slice(at + 1));
  known.set(log, slot);
  return slot;
}

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

export function written(log: string, operation: string): string {
  return log === '' ? operation : `${log} ${operation}`;
}

/** Every beginning of a log, the whole of it last. */
export function beginnings(log: string): string[] {
  if (log === '') return [''];
  const operations = log.split(' ');
  return ['', ...operations.map((_, i) => operations.slice(0, i + 1).join(' '))];
}
