import { expect, test } from 'vitest';
import { createCoalescedReads } from '../../../../gateway/reads/coalesced-reads.ts';
import type { Amendment } from '../../../../shared/model/amendment.ts';
import { blockOf, laid, layOutAgain } from './laid-out-history.ts';

/** Which readers share a read of the store, and what it asks for. */

const amendment = (seq: number, amendSeq: number): Amendment => ({
  conversation: 'g',
  seq,
  amendSeq,
  version: 1,
  action: 'edit',
  by: 'alice',
  at: 1,
  body: `"${amendSeq}"`,
});

/** A store whose blocks are answered when the test says so. */
function store(rows: Amendment[] = []) {
  layOutAgain();
  const waiting: PromiseWithResolvers<void>[] = [];
  const asked: string[] = [];
  const reads = createCoalescedReads({
    async blocks() {
      waiting.push(Promise.withResolvers<void>());
      await waiting.at(-1)!.promise;
      return [blockOf(1, 20)];
    },
    async amendments(_, fromSeq, toSeq) {
      asked.push(`of ${fromSeq}-${toSeq}`);
      return rows.filter(({ seq }) => seq >= fromSeq && seq <= toSeq);
    },
    async amendmentsBy(_, fromSeq, toSeq) {
      asked.push(`by ${fromSeq}-${toSeq}`);
      return rows.filter(({ amendSeq }) => amendSeq >= fromSeq && amendSeq <= toSeq);
    },
  });
  const answer = (): void => waiting.forEach(({ resolve }) => resolve());
  return { reads, asked, waiting, answer };
}

const reader = (amendSeq: number, amendments: Amendment[] = []) => ({ ...laid.live, amendSeq, amendments });

test('a conversation without an amendment from the range on is asked for none', async () => {
  const { reads, asked, answer } = store();
  const read = reads.joined(reader(9), 10, 20);
  answer();
  expect(await read).toMatchObject({ amendments: [], joined: false });
  expect(asked).toEqual([]);
});

test('who joins also gets what was not stored when the read was begun', async () => {
  const { reads, asked, waiting, answer } = store();
  const unsettled = amendment(12, 21);
  const first = reads.joined(reader(21, [unsettled]), 10, 20);
  // By now the archive has stored and settled it: Redis has it no more, and this read may have looked before.
  const second = reads.joined(reader(21), 10, 20);
  answer();
  expect((await first).amendments).toEqual([unsettled]);
  expect(await second).toMatchObject({ amendments: [unsettled], joined: true });
  expect(waiting).toHaveLength(1);
  expect(asked).toEqual(['of 10-20']);
});

test('who knows of a newer amendment joins nothing, and others join the newer read', async () => {
  const { reads, waiting, answer } = store([amendment(12, 22)]);
  const older = reads.joined(reader(21), 10, 20);
  const newer = reads.joined(reader(22), 10, 20);
  const third = reads.joined(reader(22), 10, 20);
  const fourth = reads.joined(reader(21), 10, 20);
  answer();
  expect((await Promise.all([older, newer, third, fourth])).map(({ joined }) => joined)).toEqual([
    false,
    false,
    true,
    true,
  ]);
  expect(waiting).toHaveLength(2);
  // The end of the older read does not end the newer one's sharing.
  const next = reads.joined(reader(22), 10, 20);
  answer();
  expect((await next).joined).toBe(false);
});
