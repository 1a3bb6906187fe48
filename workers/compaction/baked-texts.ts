import { blockLimits } from '../../shared/history/block.ts';
import { type Amendment, amendedText } from '../../shared/model/amendment.ts';

/** The texts of consecutive seqs from `firstSeq` on, with these amendments laid over them. */
function laidOver(firstSeq: number, texts: readonly string[], rows: readonly Amendment[]): string[] {
  const laid = [...texts];
  for (const row of rows) {
    const text = laid[row.seq - firstSeq];
    if (text !== undefined) laid[row.seq - firstSeq] = amendedText(text, row);
  }
  return laid;
}

/**
 * What a block holds once these amendments are put into it. New bodies may be longer than a block can be. Then it holds
 * none of them, only that the messages were amended: readers take bodies from the rows in any case.
 */
export function bakedTexts(
  { firstSeq, texts }: { firstSeq: number; texts: readonly string[] },
  rows: readonly Amendment[],
): string[] {
  const whole = laidOver(firstSeq, texts, rows);
  // A line end stands between two texts.
  const length = whole.reduce((sum, text) => sum + text.length + 1, 0);
  if (length <= blockLimits.characters) return whole;
  return laidOver(
    firstSeq,
    texts,
    rows.map((row) => ({ ...row, body: null })),
  );
}
