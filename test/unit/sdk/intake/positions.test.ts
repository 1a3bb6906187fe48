import { expect, test } from 'vitest';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import type { Storage } from '../../../../sdk/src/storage/storage.ts';
import { greeting, item, message, playIntake, playWelcomed } from './played-intake.ts';

/** What is said to the server, and where the next connection begins. */

/** A storage whose writes end when the test lets them, or fail. */
function heldStorage() {
  const inner = memory();
  const held: { release(): void; fail(): void }[] = [];
  let holding = false;
  const storage: Storage = {
    ...inner,
    async write(batch) {
      if (holding) {
        await new Promise<void>((resolve, reject) =>
          held.push({ release: resolve, fail: () => reject(new Error('the disk is away')) }),
        );
      }
      await inner.write(batch);
    },
  };
  return { storage, held, hold: () => (holding = true), letGo: () => (holding = false) };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};

test('says received only for what is stored, and begins there again', async () => {
  const { storage, held, hold } = heldStorage();
  const { intake, told, clock, writer } = await playWelcomed({ storage });
  hold();
  intake.frame({ type: 'deliver', items: [item(1, 1), item(2, 2)] });
  await turns();
  await clock.advance(1000);
  expect(told).toEqual([]);
  expect(intake.hello()).toEqual({ position: 0, epoch: 'e1' });
  held.shift()!.release();
  await writer.flushed();
  expect(intake.hello()).toEqual({ position: 2, epoch: 'e1' });
  await clock.advance(74);
  expect(told).toEqual([]);
  await clock.advance(1);
  expect(told).toEqual([{ type: 'received', position: 2 }]);
});

test('keeps a batch that could not be stored, and nothing overtakes it', async () => {
  const { storage, held, hold, letGo } = heldStorage();
  const { intake, log, clock, writer } = await playWelcomed({ storage });
  hold();
  intake.frame({ type: 'deliver', items: [item(1, 1)] });
  intake.frame({ type: 'deliver', items: [item(2, 2)] });
  await turns();
  letGo();
  held.shift()!.fail();
  await turns();
  expect(log).toEqual(['fault storage: the disk is away']);
  await clock.advance(200);
  await writer.flushed();
  await clock.advance(0);
  expect(log.slice(1)).toEqual(['1', '2']);
});

test('what arrives during a write joins into the next one', async () => {
  const { storage, held, hold } = heldStorage();
  const { intake, writer } = await playWelcomed({ storage });
  hold();
  intake.frame({ type: 'deliver', items: [item(1, 1)] });
  await turns();
  for (let seq = 2; seq <= 5; seq++) intake.frame({ type: 'deliver', items: [item(seq, seq)] });
  await turns();
  expect(held).toHaveLength(1);
  held.shift()!.release();
  await turns();
  expect(held).toHaveLength(1);
  held.shift()!.release();
  await writer.flushed();
  expect(intake.hello().position).toBe(5);
});

test('frames that join are stored before what came behind them, in transactions that are not too long', async () => {
  const inner = memory();
  const sizes: number[] = [];
  const storage: Storage = {
    ...inner,
    write: (batch) => {
      sizes.push(batch.messages?.length ?? 0);
      return inner.write(batch);
    },
  };
  const { intake, log, settle, writer } = await playWelcomed({ storage });
  let seen = 0;
  for (let seq = 1; seq <= 2; seq++) intake.frame({ type: 'deliver', items: [item(seq, seq)] });
  writer.change({ run: async (transaction) => void (seen = (await transaction.row('c')).lastSeq) });
  for (let seq = 3; seq <= 500; seq++) intake.frame({ type: 'deliver', items: [item(seq, seq)] });
  await settle();
  expect(seen).toBe(2);
  expect(log).toEqual(Array.from({ length: 500 }, (_, index) => String(index + 1)));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(500);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(200);
  expect(intake.hello().position).toBe(500);
});

test('a gap is confirmed like an item, and kept', async () => {
  const { intake, told, clock, gap, writer } = await playWelcomed();
  await gap(3, 1, 700);
  await clock.advance(75);
  expect(told).toEqual([{ type: 'received', position: 3 }]);
  expect(intake.hello()).toEqual({ position: 3, epoch: 'e1' });
  expect((await writer.row('c')).gaps).toEqual([{ fromSeq: 1, toSeq: 700 }]);
});

test('says synced when the backlog has come to the head of the welcome', async () => {
  const { deliver, log } = await playWelcomed({}, { head: 3 });
  await deliver(item(1, 1), item(2, 2));
  expect(log).toEqual(['1', '2']);
  await deliver(item(3, 3));
  expect(log).toEqual(['1', '2', 'synced', '3']);
});

test('a reset begins at 0, keeps the messages, and forgets what would never come', async () => {
  const { intake, deliver, log, storage, settle, has, writer } = await playWelcomed();
  has([message(1)], [{ fromSeq: 2, toSeq: 2 }]);
  await deliver(item(1, 1));
  await intake.history.read('c', { conversation: 'c' }, { after: 0 });
  expect((await writer.row('c')).absent).toEqual([{ fromSeq: 2, toSeq: 2 }]);
  log.length = 0;
  const order: string[] = [];
  intake.welcomed(greeting({ epoch: 'e2', reset: true, lostSince: 77 }), (transaction) => {
    order.push(`joined at ${transaction.meta.position} of ${transaction.meta.epoch}`);
  });
  await settle();
  expect(order).toEqual(['joined at 0 of e2']);
  expect(log).toEqual(['reset 77', 'synced']);
  expect(intake.hello()).toEqual({ position: 0, epoch: 'e2' });
  expect(await storage.read('c', 1, 9, 9)).toHaveLength(1);
  await deliver(item(1, 2, { id: 'new' }));
  const row = await writer.row('c');
  expect([row.absent, row.present]).toEqual([[], [{ fromSeq: 1, toSeq: 2 }]]);
});

test('an item of an older epoch does not move the position of the new one', async () => {
  const { intake, settle } = await playWelcomed();
  intake.welcomed(greeting({ epoch: 'e2', reset: true }));
  intake.frame({ type: 'deliver', items: [item(1, 1)] });
  await settle();
  expect(intake.hello()).toEqual({ position: 1, epoch: 'e2' });
});

test('goes on behind what an earlier run has stored', async () => {
  const first = await playWelcomed();
  await first.deliver(item(1, 1), item(2, 2));
  const second = await playIntake({ storage: first.storage });
  expect(second.intake.hello()).toEqual({ position: 2, epoch: 'e1' });
  second.intake.welcomed(greeting({ head: 2 }));
  await second.settle();
  await second.deliver(item(2, 2), item(3, 3));
  expect(second.log).toEqual(['synced', '(2)', '3']);
});

test('lazy: live messages are confirmed, and leave the position where it is', async () => {
  const { deliver, told, clock, intake } = await playWelcomed({ lazy: true }, { head: 8 });
  await deliver(item(undefined, 8), item(9, 9), item(undefined, 10));
  await clock.advance(75);
  expect(told).toEqual([{ type: 'received', position: 9 }]);
  expect(intake.hello()).toEqual({ position: 0, epoch: 'e1' });
});

test('says received again for what is pushed again: the server has not heard it', async () => {
  const { deliver, gap, told, clock } = await playWelcomed();
  await deliver(item(1, 1), item(2, 2));
  await clock.advance(75);
  await deliver(item(1, 1), item(2, 2));
  await gap(3, 3, 5);
  await clock.advance(75);
  await gap(3, 3, 5);
  await clock.advance(75);
  await clock.advance(60_000);
  const positions = told.map((frame) => frame['position']);
  expect(positions).toEqual([2, 3, 3]);
  await deliver(item(1, 1));
  await clock.advance(75);
  expect(told).toHaveLength(4);
  expect(told.at(-1)).toEqual({ type: 'received', position: 3 });
});

test('says nothing of an earlier epoch for what is pushed in the next one', async () => {
  const { intake, deliver, settle, told, clock } = await playWelcomed();
  await deliver(item(1, 1), item(2, 2));
  await clock.advance(75);
  intake.welcomed(greeting({ epoch: 'e2', reset: true, head: 1 }));
  intake.frame({ type: 'deliver', items: [item(1, 1)] });
  await settle();
  await clock.advance(75);
  expect(told.map((frame) => frame['position'])).toEqual([2, 1]);
});
