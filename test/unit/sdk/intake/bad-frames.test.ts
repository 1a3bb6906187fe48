import { expect, test } from 'vitest';
import { item, message, playWelcomed } from './played-intake.ts';

/** What a broken server may send: reported, left out, and nothing else is harmed. */

test.each([
  ['no list', undefined],
  ['nothing', []],
  ['an item without message', [{ position: 1 }]],
  ['null', [null]],
  ['seq 0', [item(1, 0)]],
  ['a negative seq', [item(1, -3)]],
  ['seq 2^53', [item(1, 2 ** 53)]],
  ['a seq as text', [item(1, 1, { seq: '1' as never })]],
  ['a position as text', [{ ...item(1, 1), position: '1' }]],
])('%s', async (_, items) => {
  const { intake, deliver, log, settle } = await playWelcomed();
  intake.frame({ type: 'deliver', items });
  await settle();
  log.length = 0;
  await deliver(item(2, 2));
  expect(log).toEqual(['2']);
  expect(intake.hello().position).toBe(2);
});

test.each([
  { fromSeq: 0, toSeq: 3 },
  { fromSeq: 4, toSeq: 3 },
  { fromSeq: 1, toSeq: 2 ** 53 },
])('a gap %o', async (range) => {
  const { intake, settle, log, writer } = await playWelcomed();
  intake.frame({ type: 'gap', position: 1, conversation: 'c', ...range });
  await settle();
  expect(log).toEqual(['fault frame: a gap that can not be read']);
  expect((await writer.row('c')).gaps).toEqual([]);
});

test('a position that falls moves nothing', async () => {
  const { intake, deliver } = await playWelcomed();
  await deliver(item(9, 1));
  await deliver(item(3, 2));
  expect(intake.hello().position).toBe(9);
});

test('history that lies outside what was asked for is left out', async () => {
  const { intake, log, writer } = await playWelcomed({
    insist: async () => ({
      type: 'history',
      messages: [message(1), message(9), message(2, { conversation: 'other' })],
      more: true,
      absent: [{ fromSeq: 5, toSeq: 1 }, null, { fromSeq: 1, toSeq: 1 }],
    }),
  });
  await intake.history.read('c', { conversation: 'c' }, { before: 3 });
  expect(log.filter((one) => one.startsWith('fault'))).toHaveLength(2);
  const { present, absent } = await writer.row('c');
  expect([present, absent]).toEqual([[{ fromSeq: 1, toSeq: 1 }], []]);
});

test('a page that repeats itself ends', async () => {
  let asked = 0;
  const { intake } = await playWelcomed({
    insist: async () => {
      asked++;
      return { type: 'history', messages: [], more: true, absent: [] };
    },
  });
  await intake.history.fill('c', { conversation: 'c' }, { fromSeq: 1, toSeq: 4 });
  expect(asked).toBeLessThanOrEqual(4);
});

test('a body with a field __proto__ is a body', async () => {
  const { deliver, storage } = await playWelcomed();
  await deliver(item(1, 1, { body: JSON.parse('{"__proto__": {"polluted": true}}') as unknown }));
  expect(({} as { polluted?: true }).polluted).toBeUndefined();
  expect(JSON.stringify((await storage.read('c', 1, 1, 1))[0]!.body)).toBe('{"__proto__":{"polluted":true}}');
});
