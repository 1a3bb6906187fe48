import { expect, test } from 'vitest';
import { Refusal } from '../../../../sdk/src/refusal.ts';
import { item, message, playWelcomed } from './played-intake.ts';

/** In which order messages are handed out, and what becomes of holes. */

const messages = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => message(from + index));

test('hands out by rising seq, each once', async () => {
  const { deliver, log } = await playWelcomed();
  await deliver(item(1, 1), item(2, 2));
  await deliver(item(2, 2), item(3, 3));
  expect(log).toEqual(['1', '2', '(2)', '3']);
});

test('reads a small gap first, and what comes meanwhile waits', async () => {
  const { deliver, gap, log, has, asked } = await playWelcomed();
  has(messages(1, 9));
  await deliver(item(1, 1));
  await gap(2, 2, 4);
  await deliver(item(5, 5), item(6, 6));
  expect(log).toEqual(['1', '2', '3', '4', '5', '6']);
  expect(asked).toEqual([{ type: 'history', conversation: 'c', after: 1, limit: 3 }]);
});

test('reads a gap before the first message that it ever saw', async () => {
  const { deliver, gap, log, has } = await playWelcomed();
  has(messages(1, 9));
  await gap(1, 4, 6);
  await deliver(item(7, 7));
  expect(log).toEqual(['4', '5', '6', '7']);
});

test('reads 300 seqs in pages', async () => {
  const { deliver, gap, log, has, asked } = await playWelcomed();
  has(messages(1, 301));
  await gap(1, 1, 300);
  await deliver(item(301, 301));
  expect(log).toEqual(messages(1, 301).map(({ seq }) => String(seq)));
  expect(asked).toHaveLength(6);
});

test('lets a large gap stand, with an event, and hands out what is above', async () => {
  const { deliver, gap, log, asked } = await playWelcomed();
  await deliver(item(1, 1));
  await gap(2, 2, 3000);
  await deliver(item(3001, 3001));
  expect(log).toEqual(['1', 'gap 2-3000', '3001']);
  expect(asked).toEqual([]);
});

test('tells of a hole once, however it is announced, and of no message that is here', async () => {
  const { deliver, gap, log } = await playWelcomed();
  await deliver(item(1, 1));
  await gap(2, 1, 3000);
  await gap(3, 1, 3000);
  await gap(4, 1, 3500);
  await deliver(item(5, 3501));
  expect(log).toEqual(['1', 'gap 2-3000', 'gap 3001-3500', '3501']);
});

test('waits two seconds for a hole that was not announced, then reads it and reports it', async () => {
  const { deliver, log, has, clock, settle } = await playWelcomed();
  has(messages(1, 9));
  await deliver(item(1, 1), item(2, 3));
  expect(log).toEqual(['1']);
  await clock.advance(2000);
  await settle();
  expect(log).toEqual(['1', 'fault hole: 1 messages of c did not come', '2', '3']);
});

test('an own message on its way fills the hole', async () => {
  const { deliver, intake, log, clock, settle } = await playWelcomed();
  await deliver(item(1, 1), item(3, 3));
  intake.own(message(2, { sender: 'alice' }), () => {});
  await settle();
  await clock.advance(5000);
  expect(log).toEqual(['1', '2', '3']);
});

test('passes over what never comes, and what history does not give', async () => {
  const { deliver, gap, log, has, asked } = await playWelcomed();
  has([message(1), message(3), message(6)], [{ fromSeq: 2, toSeq: 2 }]);
  await gap(1, 1, 5);
  await deliver(item(6, 6));
  expect(log).toEqual(['1', '3', 'gap 4-5', '6']);
  expect(asked.length).toBeLessThan(4);
});

test('a history that refuses for good lets the hole stand', async () => {
  const { deliver, gap, log } = await playWelcomed({
    insist: () => Promise.reject(new Refusal('not_found', 'no such conversation')),
  });
  await gap(1, 1, 2);
  await deliver(item(3, 3));
  expect(log).toEqual(['fault history: no such conversation', 'gap 1-2', '3']);
});

test('holds back at most a thousand messages', async () => {
  let answer = (): void => {};
  const { intake, deliver, gap, log, settle } = await playWelcomed({
    insist: () => new Promise((resolve) => (answer = () => resolve({ type: 'history', messages: [], more: false }))),
  });
  await gap(1, 1, 2);
  await deliver(item(3, 3));
  for (let seq = 4; seq <= 1002; seq += 100) {
    const count = Math.min(100, 1003 - seq);
    intake.frame({
      type: 'deliver',
      items: Array.from({ length: count }, (_, index) => item(seq + index, seq + index)),
    });
  }
  await settle();
  expect(log).toEqual([]);
  answer();
  await settle();
  expect(log.slice(0, 2)).toEqual(['gap 1-2', '3']);
  expect(log).toHaveLength(1001);
});

test('an open conversation reads a hole that nobody announced at once', async () => {
  const { deliver, log, has, open } = await playWelcomed();
  open.add('c');
  has(messages(1, 9));
  await deliver(item(1, 1), item(4, 4));
  expect(log).toEqual(['1', '2', '3', '4']);
});

test('items of large groups have no position and keep their order', async () => {
  const { deliver, log, intake } = await playWelcomed();
  await deliver(item(undefined, 1), item(undefined, 2));
  expect(log).toEqual(['1', '2']);
  expect(intake.hello().position).toBe(0);
});

test('an own message waits for the backlog below it, and nothing is read from history', async () => {
  const { intake, deliver, settle, log, asked, clock, open } = await playWelcomed({}, { head: 3 });
  open.add('c');
  await deliver(item(1, 1));
  intake.own(message(4, { sender: 'alice' }), () => {});
  await settle();
  await clock.advance(900);
  await deliver(item(2, 2));
  await clock.advance(900);
  await deliver(item(3, 3));
  await clock.advance(5000);
  expect(log.filter((line) => line !== 'synced')).toEqual(['1', '2', '3', '4']);
  expect(asked).toEqual([]);
});
