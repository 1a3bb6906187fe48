import type { Stretch } from './storage.ts';

type Row = { conversation: string; seq: number };

/** Rows by conversation, one of each seq, rising. What comes in order is added at the end. */
export function createTable<Of extends Row>() {
  const all = new Map<string, Of[]>();

  /** The place of the first row that is not below `seq`. */
  const placeOf = (rows: Of[], seq: number): number => {
    let from = 0;
    let to = rows.length;
    if (to > 0 && rows[to - 1]!.seq < seq) return to;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (rows[middle]!.seq < seq) from = middle + 1;
      else to = middle;
    }
    return from;
  };

  return {
    get(conversation: string, seq: number): Of | undefined {
      const rows = all.get(conversation) ?? [];
      const found = rows[placeOf(rows, seq)];
      return found?.seq === seq ? found : undefined;
    },
    set(row: Of): void {
      const rows = all.get(row.conversation);
      if (rows === undefined) return void all.set(row.conversation, [row]);
      const at = placeOf(rows, row.seq);
      if (at === rows.length) rows.push(row);
      else rows.splice(at, rows[at]?.seq === row.seq ? 1 : 0, row);
    },
    drop({ conversation, fromSeq, toSeq }: Stretch): void {
      const rows = all.get(conversation) ?? [];
      const from = placeOf(rows, fromSeq);
      rows.splice(from, placeOf(rows, toSeq + 1) - from);
    },
    /** At most `limit` rows of a stretch; the newest of them with `newest`. */
    read({ conversation, fromSeq, toSeq }: Stretch, limit: number, newest = false): Of[] {
      const rows = all.get(conversation) ?? [];
      const from = placeOf(rows, fromSeq);
      const to = placeOf(rows, toSeq + 1);
      return newest ? rows.slice(Math.max(from, to - limit), to) : rows.slice(from, Math.min(to, from + limit));
    },
    all: (): Of[] => [...all.values()].flat(),
    clear: (): void => all.clear(),
  };
}
