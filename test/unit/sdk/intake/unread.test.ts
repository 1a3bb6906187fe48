import { expect, test } from 'vitest';
import { amendment, greeting, item, message, playWelcomed, type Played } from './played-intake.ts';

/** `unread` is the server's number, and between two of them what counts is added. */

const unread = async ({ writer }: Played): Promise<number> => (await writer.row('c')).unread;
const summary = (fields: object) => ({
  total: 2,
  conversations: [{ conversation: 'c', unread: 2, readSeq: 3, lastSeq: 5, last: message(5), ...fields }],
  more: false,
});

test('what the summary has counted is not counted again when it comes', async () => {
  const played = await playWelcomed({}, { head: 5, unread: summary({}) });
  await played.deliver(item(4, 4), item(5, 5));
  expect(await unread(played)).toBe(2);
  await played.deliver(item(6, 6));
  expect(await unread(played)).toBe(3);
});

test('what was read elsewhere is not counted when its backlog comes', async () => {
  const played = await playWelcomed({}, { head: 2 });
  await played.deliver(item(1, 1), item(2, 2));
  expect(await unread(played)).toBe(0);
});

test('amendments, own messages and what is read do not count; a recall subtracts', async () => {
  const played = await playWelcomed();
  await played.deliver(item(1, 1), item(2, 2));
  expect(await unread(played)).toBe(2);
  await played.deliver({ position: 3, message: amendment(3, 1, { action: 'recall', version: 1 }) });
  expect(await unread(played)).toBe(1);
  await played.deliver({ position: 4, message: amendment(4, 1, { action: 'recall', version: 2 }) });
  expect(await unread(played)).toBe(1);
  played.intake.own(message(5, { sender: 'alice' }), () => {});
  await played.settle();
  expect(await unread(played)).toBe(0);
  expect((await played.writer.row('c')).readSeq).toBe(5);
});

test('a complete summary that does not name a conversation says that it is read', async () => {
  const played = await playWelcomed();
  await played.deliver(item(1, 1));
  expect(await unread(played)).toBe(1);
  played.intake.welcomed(greeting({ head: 1 }));
  await played.settle();
  expect(await unread(played)).toBe(0);
});

test('in lazy delivery the summary announces what is missing', async () => {
  const played = await playWelcomed({ lazy: true }, { head: 5, unread: summary({}) });
  expect((await played.writer.row('c')).gaps).toEqual([{ fromSeq: 1, toSeq: 5 }]);
  expect(played.intake.hello().position).toBe(0);
});
