import type { Block, HistoryStore } from '../../shared/history/store.ts';
import { type Amendment, amendSeqOf, targetOf } from '../../shared/model/amendment.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import type { Kind } from './findings.ts';

/** How much longer than PURGE_MINUTES an old body may be stored (ms): a run of the job may have much to do. */
const graceMs = 10 * 60_000;

/** The targets of the amendments that a block holds, with the seq of the newest one of each. */
function targetsIn({ firstSeq, texts }: Block): Map<number, number> {
  const targets = new Map<number, number>();
  for (const [index, text] of texts.entries()) {
    const target = targetOf(text);
    if (target !== null) targets.set(target, firstSeq + index);
  }
  return targets;
}

/**
 * Compares the amendments of one conversation with its blocks: every amendment in a block has its row, or a newer one,
 * and no block holds for long what a row has taken the place of. `keptFrom`: the first seq that may be stored.
 */
export function createAmendmentAudit(
  history: Pick<HistoryStore, 'amendments'>,
  id: string,
  keptFrom: number,
  /** The highest seq of an amendment that history has of it; 0: none, and no row is asked for. */
  newest: number,
  purgeMs: number,
  found: (kind: Kind, what: string) => void,
) {
  const rowsOf = async (fromSeq: number, toSeq: number): Promise<Map<number, Amendment>> =>
    new Map((newest === 0 ? [] : await history.amendments(id, fromSeq, toSeq)).map((row) => [row.seq, row]));
  let oldBodies = 0;

  return {
    async look(block: Block): Promise<void> {
      const rows = await rowsOf(block.firstSeq, block.lastSeq);
      for (const [index, text] of block.texts.entries()) {
        const seq = block.firstSeq + index;
        const row = rows.get(seq);
        const stored = amendSeqOf(text);
        if (stored > (row?.amendSeq ?? 0)) found('missing_amendment', `seq ${stored}, which amends seq ${seq}`);
        if (row === undefined || stored >= row.amendSeq) continue;
        oldBodies += 1;
        if (row.at + purgeMs + graceMs < wallMs()) found('old_body', `seq ${seq}, amended by seq ${row.amendSeq}`);
      }
      const targets = targetsIn(block);
      if (targets.size === 0) return;
      const seqs = [...targets.keys()];
      const amended = await rowsOf(Math.min(...seqs), Math.max(...seqs));
      for (const [seq, amendSeq] of targets)
        if (seq >= keptFrom && (amended.get(seq)?.amendSeq ?? 0) < amendSeq)
          found('missing_amendment', `seq ${amendSeq}, which amends seq ${seq}`);
    },

    /** How many texts are stored as they were before their newest amendment. */
    get oldBodies(): number {
      return oldBodies;
    },
  };
}
