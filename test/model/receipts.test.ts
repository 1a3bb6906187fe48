import { describe, expect, test } from 'vitest';
import { explore, told } from './explore.ts';
import { type ReceiptRules, receipts } from './receipts.ts';

/** Receipts of one conversation, explored state by state: as they are, and without each of their rules. */

const timeout = 120_000;

describe('receipts', () => {
  test('tell and show nothing that is not so, and no lower seq after a higher one', { timeout }, () => {
    const exploration = explore(receipts());
    expect(told(exploration)).toMatch(/^no violation/);
    expect(exploration.states).toBeGreaterThan(10_000);
  });

  const broken: [what: string, rules: ReceiptRules, violation: RegExp][] = [
    ['a note that replaces the old seq', { replaces: true }, /shown below what was told|told a lower seq/],
    ['seqs above the last one', { unclamped: true }, /of what is not/],
    ['notes of whoever confirms', { anybody: true }, /^told of who has left/],
    ['notes of any size of group', { anySize: true }, /^told in too large/],
    ['settled gaps that count', { countsGaps: true }, /received( is shown)? of what is not/],
    ['positions in place of what was handed over', { byPosition: true }, /received( is shown)? of what is not/],
    ['hints handed on as they come', { anyHint: true }, /^told a lower seq/],
    ['deletion at growth', { deletesAtGrowth: true }, /shown below what was told/],
  ];
  test.each(broken)('break with %s', { timeout }, (_, rules, violation) => {
    expect(explore(receipts(rules)).violation).toMatch(violation);
  });
});
