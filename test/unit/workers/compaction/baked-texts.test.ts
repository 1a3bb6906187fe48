import { expect, test } from 'vitest';
import { blockLimits, joinTexts } from '../../../../shared/history/block.ts';
import { type Amendment, amendedText } from '../../../../shared/model/amendment.ts';
import { messageTail, messageText, parseMessage } from '../../../../shared/model/message-text.ts';
import { bakedTexts } from '../../../../workers/compaction/baked-texts.ts';

const textOf = (seq: number): string =>
  messageText(0, {
    streamId: `${seq}-0`,
    conversation: 'c',
    seq,
    at: seq,
    tail: messageTail('alice', `m-${seq}`, 'text', '"old"', 'normal'),
  });
const edit = (seq: number, body: string | null): Amendment => ({
  conversation: 'c',
  seq,
  amendSeq: 5000 + seq,
  version: 1,
  action: body === null ? 'recall' : 'edit',
  by: 'alice',
  at: 1,
  body,
});
const texts = Array.from({ length: 1000 }, (_, i) => textOf(11 + i));

test('lays each amendment over its own message, and nothing over what is elsewhere', () => {
  const rows = [edit(5, '1'), edit(11, '"new"'), edit(13, null), edit(1010, '2'), edit(1011, '3')];
  const baked = bakedTexts({ firstSeq: 11, texts }, rows);
  for (const [i, text] of texts.entries()) {
    const row = rows.find(({ seq }) => seq === 11 + i);
    expect(baked[i]).toBe(row === undefined ? text : amendedText(text, row));
  }
  expect(bakedTexts({ firstSeq: 11, texts: baked }, rows)).toEqual(baked);
  expect(bakedTexts({ firstSeq: 1, texts: [] }, rows)).toEqual([]);
});

test('new bodies that are longer than a block can be stay in the rows alone, and no old body stays', () => {
  const long = JSON.stringify('x'.repeat(16_000));
  const rows = texts.map((_, i) => edit(11 + i, long));
  const baked = bakedTexts({ firstSeq: 11, texts }, rows);
  expect(baked.join('\n').length).toBeLessThan(blockLimits.characters);
  expect(() =>
    joinTexts({
      conversation: 'c',
      firstSeq: 11,
      lastSeq: 1010,
      firstAt: 1,
      lastAt: 1,
      format: 2,
      rev: 0,
      texts: baked,
    }),
  ).not.toThrow();
  expect(parseMessage(baked[0]!)).toMatchObject({ seq: 11, body: null, amended: { action: 'edit', amendSeq: 5011 } });
  // Readers lay the row over it.
  expect(parseMessage(amendedText(baked[0]!, rows[0]!)).body).toBe('x'.repeat(16_000));
  expect(bakedTexts({ firstSeq: 11, texts: baked }, rows)).toEqual(baked);
});
