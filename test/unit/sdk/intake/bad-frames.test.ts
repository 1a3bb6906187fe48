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

test('kinds and fields of tomorrow are kept as they came', async () => {
  const { deliver, storage, log } = await playWelcomed();
  await deliver(item(1, 1, { kind: 'of.tomorrow', flavour: 'salty' } as object));
  expect(log).toEqual(['1']);
  expect((await storage.read('c', 1, 1, 1))[0]).toMatchObject({ kind: 'of.tomorrow', flavour: 'salty' });
});

test.each([
  ['a page of 512 KiB', Array.from({ length: 128 }, (_, at) => item(at + 1, at + 1, { body: 'x'.repeat(4096) }))],
  ['a text of 1 MiB', [item(1, 1, { body: 'x'.repeat(2 ** 20) })]],
])('%s is taken whole', async (_, items) => {
  const { deliver, intake, log } = await playWelcomed();
  await deliver(...items);
  expect(log).toHaveLength(items.length);
  expect(intake.hello().position).toBe(items.length);
});

test('half a character in a text stays as it is', async () => {
  const { deliver, storage } = await playWelcomed();
  await deliver(item(1, 1, { body: 'a \ud800 b' }));
  expect((await storage.read('c', 1, 1, 1))[0]!.body).toBe('a \ud800 b');
});

test('an equal seq with another id replaces the message, and is one message', async () => {
  const { deliver, storage, writer } = await playWelcomed();
  await deliver(item(1, 1));
  await deliver(item(1, 1, { id: '9-9', body: 'other' }));
  expect(await storage.read('c', 1, 9, 9)).toMatchObject([{ id: '9-9', body: 'other' }]);
  expect((await writer.row('c')).present).toEqual([{ fromSeq: 1, toSeq: 1 }]);
});

test('seqs that are said never to come stay if they are here', async () => {
  const { intake, deliver, writer, storage, has } = await playWelcomed();
  await deliver(item(1, 1), item(2, 2));
  has([message(2)], [{ fromSeq: 1, toSeq: 1 }]);
  await intake.history.read('c', { conversation: 'c' }, { limit: 9 });
  expect(await writer.row('c')).toMatchObject({ present: [{ fromSeq: 1, toSeq: 2 }], absent: [] });
  expect(await storage.read('c', 1, 9, 9)).toHaveLength(2);
});
