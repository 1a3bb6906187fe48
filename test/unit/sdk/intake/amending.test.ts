import { expect, test } from 'vitest';
import { amendment, item, message, playWelcomed, type Played } from './played-intake.ts';

/** Which text of a message is in force. */

const textOf = async ({ storage }: Played, seq: number) => (await storage.read('c', seq, seq, 1))[0];
const amended = (amendSeq: number, body: unknown) => ({
  body,
  amended: { action: 'edit' as const, by: 'bob', at: 1, version: 1, amendSeq },
});
const deliver = (played: Played, position: number, one: ReturnType<typeof message>) =>
  played.deliver({ position, message: one });

test('lays an amendment over the message, the last line and an event', async () => {
  const played = await playWelcomed();
  await played.deliver(item(1, 1));
  await deliver(played, 2, amendment(2, 1, { action: 'edit', version: 1, body: 'new' }));
  expect(await textOf(played, 1)).toMatchObject({ body: 'new', amended: { amendSeq: 2, by: 'bob', version: 1 } });
  expect((await played.writer.row('c')).last).toMatchObject({ seq: 1, body: 'new' });
  expect(played.log).toEqual(['1', '2', 'amended 1 "new"']);
});

test('the higher amendSeq is in force, even if a version is given again', async () => {
  const played = await playWelcomed();
  await played.deliver(item(1, 1));
  await deliver(played, 3, amendment(3, 1, { action: 'recall', version: 1 }));
  await deliver(played, 4, amendment(2, 1, { action: 'edit', version: 2, body: 'older' }));
  expect(await textOf(played, 1)).toMatchObject({ body: null, amended: { action: 'recall', amendSeq: 3 } });
  await deliver(played, 5, amendment(5, 1, { action: 'edit', version: 1, body: 'newest' }));
  expect(await textOf(played, 1)).toMatchObject({ body: 'newest', amended: { amendSeq: 5 } });
});

test('a superseded amendment changes nothing', async () => {
  const played = await playWelcomed();
  await played.deliver(item(1, 1));
  await deliver(played, 2, amendment(2, 1, { action: 'edit', version: 1, superseded: true }));
  expect(await textOf(played, 1)).toEqual(message(1));
});

test('an old text that comes again does not take the place of a newer one', async () => {
  const played = await playWelcomed();
  await played.deliver(item(1, 1));
  await deliver(played, 2, amendment(2, 1, { action: 'recall', version: 1 }));
  await played.deliver(item(1, 1));
  expect(await textOf(played, 1)).toMatchObject({ body: null });
});

test('an amendment waits for a target that comes later with an old text', async () => {
  const played = await playWelcomed();
  await deliver(played, 2, amendment(2, 1, { action: 'edit', version: 1, body: 'new' }));
  played.has([message(1)]);
  await played.intake.history.read('c', { conversation: 'c' }, { after: 0 });
  expect(await textOf(played, 1)).toMatchObject({ body: 'new' });
});

test('a message that comes with a newer text than the waiting amendment keeps it', async () => {
  const played = await playWelcomed();
  await deliver(played, 2, amendment(2, 1, { action: 'edit', version: 1, body: 'new' }));
  played.has([message(1, amended(7, 'newest'))]);
  await played.intake.history.read('c', { conversation: 'c' }, { after: 0 });
  expect(await textOf(played, 1)).toMatchObject({ body: 'newest' });
});

test('a withheld text stays withheld', async () => {
  const played = await playWelcomed();
  await deliver(played, 1, message(1, { body: null, amended: { action: 'withheld' } }));
  await deliver(played, 2, amendment(2, 1, { action: 'edit', version: 1, body: 'secret' }));
  expect(await textOf(played, 1)).toMatchObject({ body: null, amended: { action: 'withheld' } });
});

test('another id replaces a message', async () => {
  const played = await playWelcomed();
  await played.deliver(item(1, 1));
  await played.deliver(item(1, 1, { id: 'other', body: 'theirs' }));
  expect(await textOf(played, 1)).toMatchObject({ id: 'other', body: 'theirs' });
});

test('a message below a hole is stale until its page was read again', async () => {
  const played = await playWelcomed();
  await played.deliver(item(1, 1), item(2, 2));
  await played.gap(3, 3, 900);
  await played.deliver(item(901, 901));
  expect((await played.writer.row('c')).stale).toEqual([{ fromSeq: 1, toSeq: 2 }]);
  played.has([message(1, amended(500, 'edited in the hole')), message(2)]);
  await played.intake.history.read('c', { conversation: 'c' }, { before: 2 });
  expect(await textOf(played, 1)).toMatchObject({ body: 'edited in the hole' });
  expect((await played.writer.row('c')).stale).toEqual([{ fromSeq: 2, toSeq: 2 }]);
});

test('a hole that was read whole leaves nothing stale', async () => {
  const played = await playWelcomed();
  played.has([message(2), message(3)]);
  await played.deliver(item(1, 1));
  await played.gap(3, 2, 3);
  await played.deliver(item(4, 4));
  expect((await played.writer.row('c')).stale).toEqual([]);
});
