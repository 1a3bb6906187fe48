import { beforeEach, describe, expect, test } from 'vitest';
import type { Amendment } from '../../../shared/model/amendment.ts';
import { block, group, member, write } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

const edit = (seq: number, amendSeq: number, body: string | null = `"${amendSeq}"`): Amendment => ({
  conversation: 'c',
  seq,
  amendSeq,
  version: 1,
  action: body === null ? 'recall' : 'edit',
  by: 'alice',
  at: amendSeq * 1000,
  body,
});

/** The rows of amendments, and which of them blocks do not have yet. */
export function amendmentCases(subject: StoreAtHand): void {
  describe('amendments', () => {
    const all = (): Promise<Amendment[]> => subject.open().amendments('c', 1, 99);
    const blocks = [block('c', 1, 5), block('c', 6, 12)];
    beforeEach(async () => {
      await subject.store.write(write({ conversations: [group('c')], members: [member('c', 'alice')], blocks }));
    });

    test('are read by range, in the order of the messages', async () => {
      const rows = [edit(4, 9, '{"text":" two  words\\n","n":[1, 2]}'), edit(2, 10, null), edit(5, 11, '""')];
      await subject.store.write(write({ amendments: rows }));
      await subject.store.write(write({ amendments: [{ ...edit(2, 12), conversation: 'd' }] }));
      expect(await all()).toEqual([rows[1], rows[0], rows[2]]);
      expect(await subject.store.amendments('c', 3, 4)).toEqual([rows[0]]);
      expect(await subject.store.amendments('c', 6, 99)).toEqual([]);
      expect(await subject.store.amendments('x', 1, 99)).toEqual([]);
    });

    test('are read by their own seq', async () => {
      await subject.store.write(write({ amendments: [edit(4, 9), edit(2, 10, null), edit(5, 11)] }));
      await subject.store.write(write({ amendments: [edit(4, 13), { ...edit(3, 10), conversation: 'd' }] }));
      expect(await subject.store.amendmentsBy('c', 9, 11)).toEqual([edit(2, 10, null), edit(5, 11)]);
      expect(await subject.store.amendmentsBy('c', 11, 13)).toEqual([edit(5, 11), edit(4, 13)]);
      expect(await subject.store.amendmentsBy('x', 1, 99)).toEqual([]);
    });

    test('move forward only, by the seq of the amendment and not by its version', async () => {
      await subject.store.write(write({ amendments: [{ ...edit(2, 9), version: 7 }] }));
      await subject.store.write(write({ amendments: [{ ...edit(2, 11, null), version: 2 }] }));
      await subject.store.write(write({ amendments: [{ ...edit(2, 10), version: 8 }, edit(2, 9)] }));
      expect(await all()).toEqual([{ ...edit(2, 11, null), version: 2 }]);
      // What is equally new changes nothing.
      await subject.store.write(write({ amendments: [edit(2, 11, '"other"')] }));
      expect((await all())[0]?.body).toBeNull();
    });

    test('of two writers of one row the newer amendment stays', async () => {
      const writers = [subject.store, subject.open(), subject.open()];
      for (let round = 0; round < 10; round++) {
        const seqs = [20 + round * 3, 21 + round * 3, 22 + round * 3];
        await Promise.all(seqs.map((seq, i) => writers[i]!.write(write({ amendments: [edit(2, seq), edit(3, seq)] }))));
        expect(await all()).toEqual([edit(2, seqs[2]!), edit(3, seqs[2]!)]);
      }
    });

    test('are visible no later than the block that holds the amendment', async () => {
      const other = subject.open();
      const found: { amendments: number; last: number }[] = [];
      const looking = (async () => {
        while ((found.at(-1)?.last ?? 0) < 42) {
          const last = (await other.newestBlock('c'))!.lastSeq;
          const rows = await other.amendments('c', 1, 5);
          found.push({ last, amendments: rows.reduce((newest, { amendSeq }) => Math.max(newest, amendSeq), 0) });
        }
      })();
      for (let seq = 13; seq <= 42; seq++)
        await subject.store.write(write({ amendments: [edit((seq % 5) + 1, seq)], blocks: [block('c', seq, seq)] }));
      await looking;
      for (const { last, amendments } of found) expect(amendments).toBeGreaterThanOrEqual(last > 12 ? last : 0);
    });

    test('the newest one is known for each conversation', async () => {
      expect(await subject.store.newestAmendment('c')).toBe(0);
      expect((await subject.store.conversation('c'))?.amendSeq).toBe(0);
      await subject.store.write(write({ amendments: [edit(2, 12), edit(1, 10)] }));
      expect(await subject.open().newestAmendment('c')).toBe(12);
      expect((await subject.open().conversation('c'))?.amendSeq).toBe(12);
      await subject.store.write(write({ conversations: [group('d')], members: [member('d', 'alice')] }));
      const mine = await subject.store.conversationsOf('alice', '', 9);
      expect(mine.map(({ member: { conversation }, amendSeq }) => [conversation, amendSeq])).toEqual([
        ['c', 12],
        ['d', 0],
      ]);
    });

    test('those that blocks do not have yet are found by their time, until they are marked', async () => {
      const rows = [edit(4, 9), edit(2, 10, null), edit(5, 11)];
      await subject.store.write(write({ amendments: rows }));
      expect(await subject.store.toBake(0, 11_000, 9)).toEqual(rows.slice(0, 2));
      expect(await subject.store.toBake(0, 12_000, 1)).toEqual(rows.slice(0, 1));
      expect(await subject.store.toBake(10_000, 11_001, 9)).toEqual(rows.slice(1));
      await subject.open().markBaked(rows.slice(0, 2));
      await subject.store.markBaked([]);
      expect(await subject.store.toBake(0, 12_000, 9)).toEqual([rows[2]]);
      // They stay in force.
      expect(await all()).toHaveLength(3);
    });

    test('one that became newer while the older was put into blocks is not marked', async () => {
      await subject.store.write(write({ amendments: [edit(4, 9)] }));
      await subject.store.write(write({ amendments: [edit(4, 10, null)] }));
      await subject.store.markBaked([edit(4, 9)]);
      expect(await subject.store.toBake(0, 99_000, 9)).toEqual([edit(4, 10, null)]);
      await subject.store.markBaked([edit(4, 10)]);
      expect(await subject.store.toBake(0, 99_000, 9)).toEqual([]);
      // A newer one is to be put into blocks again; what is written again is not.
      await subject.store.write(write({ amendments: [edit(4, 9), edit(4, 10)] }));
      expect(await subject.store.toBake(0, 99_000, 9)).toEqual([]);
      await subject.store.write(write({ amendments: [edit(4, 12)] }));
      expect(await subject.store.toBake(0, 99_000, 9)).toEqual([edit(4, 12)]);
    });

    test('go with their messages', async () => {
      await subject.store.write(
        write({
          conversations: [group('d')],
          blocks: [block('d', 1, 2), block('d', 3, 4)],
          amendments: [edit(5, 9), edit(6, 10), { ...edit(1, 3), conversation: 'd' }],
        }),
      );
      expect(await subject.store.expireBlocks(5001, 9)).toMatchObject({ removed: 3 });
      expect(await all()).toEqual([edit(6, 10)]);
      expect(await subject.store.amendments('d', 1, 9)).toEqual([]);
      // The newest block becomes a stub, which keeps no message.
      expect(await subject.store.expireBlocksOf('c', 13_000, 9)).toBe(1);
      expect(await all()).toEqual([]);
    });

    test('a body of a megabyte comes back byte for byte, and line ends in it are none of the block', async () => {
      const body = JSON.stringify({ text: 'line\nend $set.x \u2028'.repeat(50_000), $literal: '$body' });
      await subject.store.write(write({ amendments: [edit(4, 9, body), edit(5, 10, '"$body"')] }));
      expect(await all()).toEqual([edit(4, 9, body), edit(5, 10, '"$body"')]);
    });
  });
}
