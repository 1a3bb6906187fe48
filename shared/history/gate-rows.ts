/**
 * What history keeps about openings: which processes may have seen a number, and what the slots of Redis are known to
 * have held. A slot is a partition (`p3`) or an inbox shard (`i17`).
 *
 * The reads are linearizable: they see every write whose promise had resolved before the read began, from any process.
 * So of a process that enlists and then reads the slots, and one that begins an opening and then reads the processes,
 * at least one sees the other.
 */

/** A process that may have seen numbers which history does not hold. */
export type ProcessRow = {
  /** Unique to this start of the process. */
  id: string;
  role: string;
  host: string;
  /** Which boot of the host it belongs to, and which PID namespace: together with `pidStart` they tell if it runs. */
  bootId: string;
  pidNamespace: string;
  pid: number;
  /** When the process started, in the text of its host. Another process with the same pid has another one. */
  pidStart: string;
  /** The highest format number that it reads. */
  formats: number;
  /** Milliseconds since 1970 at which it enlisted. */
  since: number;
};

/** One enlistment of a process: the next one has another time. */
export type Enlistment = Pick<ProcessRow, 'id' | 'since'>;

/** What is known of one slot. Both numbers only rise. */
export type SlotRow = {
  /** The number of the last opening that began; 0 before the first. */
  gate: number;
  /** The highest mark that is known to be in Redis; 0 without one. */
  mark: number;
};

export type GateRows = {
  /** Writes the row of a process, in the place of an earlier row with its id. */
  enlist(row: ProcessRow): Promise<void>;

  /** Every process that has enlisted and was not dismissed, in order of id. */
  enlisted(): Promise<ProcessRow[]>;

  /** All slots that had an opening or a mark. */
  slots(): Promise<Map<string, SlotRow>>;

  /**
   * Begins an opening of these slots: one number, above all that were given before to any slot, becomes the `gate` of
   * each. Rejects without a slot.
   */
  beginOpening(slots: readonly string[]): Promise<number>;

  /**
   * Raises the marks to those given, then removes the rows of processes. A process is never missing while a mark that
   * stands for it is. Repeating it is harmless, and so are ids without a row.
   */
  dismiss(ids: readonly string[], marks: ReadonlyMap<string, number>): Promise<void>;

  /**
   * The same for processes that another process takes for dead. A row stays if its process has enlisted again
   * meanwhile: one that was only paused enlists again before it answers anything.
   */
  dismissSilent(rows: readonly Enlistment[], marks: ReadonlyMap<string, number>): Promise<void>;
};

/** Throws when no slot is named: its number would be kept nowhere. */
export function mustNameSlots(slots: readonly string[]): void {
  if (slots.length === 0) throw new Error('an opening needs at least one slot');
}
