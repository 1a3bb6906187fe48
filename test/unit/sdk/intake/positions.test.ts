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
