import { expect, test } from 'vitest';
import { OutboxFull } from '../../../../sdk/src/outbox/api.ts';
import { playOutbox } from './played-outbox.ts';

/** What becomes of messages over cuts, reloads, losses and refusals. */

test('is stored before it is sent', async () => {
  const { outbox, say, settle, wire, storage } = await playOutbox();
  outbox.open();
  const handle = say('1');
  expect(wire).toEqual([]);
  expect(handle.status.get()).toEqual({ state: 'queued', persisted: false });
  await handle.stored;
  await settle();
  expect(await storage.outbox()).toHaveLength(1);
  expect(handle.status.get()).toEqual({ state: 'sending', persisted: true });
});

test('goes out again after a cut, with the same id, and is settled once', async () => {
  const played = await playOutbox();
  const handle = played.say('1');
  await played.open();
  await played.cut();
  expect(handle.status.get().state).toBe('queued');
  await played.open();
  expect(played.wire.map(({ frame }) => frame['clientId'])).toEqual([handle.clientId]);
  played.next().accept(7);
  await expect(handle.accepted).resolves.toMatchObject({ seq: 7 });
});

test('goes on after a reload, in order, with the same ids; and it may not be cancelled then', async () => {
  const first = await playOutbox();
  const ids = ['1', '2', '3'].map((body) => first.say(body).clientId);
  await first.open();
  await first.cut();
  const second = await playOutbox({ storage: first.storage });
  expect(second.outbox.waiting('c').map(({ clientId, state }) => [clientId, state])).toEqual(
    ids.map((id) => [id, 'queued']),
  );
  expect(second.outbox.handle(ids[2]!)!.cancel()).toBe(false);
  await second.open();
  for (let count = 0; count < 3; count++) {
    second.next().accept();
    await second.settle();
  }
  expect(second.accepted).toEqual(['1', '2', '3']);
  expect(second.outbox.size).toBe(0);
  expect((await playOutbox({ storage: first.storage })).outbox.size).toBe(0);
});

test('what may have been lost goes out again, before everything else of its conversation', async () => {
  const played = await playOutbox();
  const handles = ['old', 'lost 1', 'lost 2'].map((body) => played.say(body));
  await played.open();
  const since = played.clock.now();
  for (const [index] of handles.entries()) {
    played.next().accept(index + 1, since + index);
    await played.settle();
  }
  await played.cut();
  played.say('new');
  played.writer.change({ run: (transaction) => played.outbox.repeatSince(transaction, since + 1) });
  await played.settle();
  await played.open();
  for (let count = 0; count < 3; count++) {
    played.next().accept();
    await played.settle();
  }
  expect(played.bodies.slice(3)).toEqual(['lost 1', 'lost 2', 'new']);
  expect((await played.storage.outbox()).map(({ state }) => state)).toEqual(Array(4).fill('accepted'));
});

test('what may have been lost goes out again after a reload too', async () => {
  const first = await playOutbox();
  first.say('lost');
  await first.open();
  first.next().accept(1, 5000);
  await first.settle();
  const second = await playOutbox({ storage: first.storage });
  second.writer.change({ run: (transaction) => second.outbox.repeatSince(transaction, 5000) });
  await second.settle();
  await second.open();
  expect(second.bodies).toEqual(['lost']);
});

test('an amendment is an entry of its conversation, and keeps its place', async () => {
  const played = await playOutbox();
  played.say('1');
  played.outbox.add({ type: 'amend', lane: 'c', body: 'better', target: { seq: 4, action: 'edit' } });
  played.outbox.add({ type: 'amend', lane: 'c', body: undefined, target: { seq: 5, action: 'recall' } });
  await played.open();
  played.next().accept();
  await played.settle();
  const [edit] = played.wire;
  expect(edit!.frame).toMatchObject({ type: 'amend', conversation: 'c', seq: 4, action: 'edit', body: 'better' });
  edit!.accept();
  await played.settle();
  expect(played.wire[0]!.frame).not.toHaveProperty('body');
  expect(played.wire[0]!.frame).toMatchObject({ action: 'recall', seq: 5 });
});

test.each(['retry_later', 'rate_limited', 'unknown_outcome', 'internal', 'unauthenticated'])(
  'is sent again after %s',
  async (code) => {
    const played = await playOutbox();
    const handle = played.say('1');
    await played.open();
    played.next().refuse(code, { retryAfterMs: 500 });
    await played.settle();
    expect(handle.status.get().state).toBe('queued');
    await played.clock.advance(599);
    expect(played.wire).toEqual([]);
    await played.clock.advance(1);
    expect(played.wire).toHaveLength(1);
  },
);

test.each(['conflict', 'too_large', 'bad_request', 'forbidden', 'not_found', 'a_code_of_tomorrow'])(
  'has failed after %s, and goes out again when it is told to',
  async (code) => {
    const played = await playOutbox();
    const handle = played.say('1');
    await played.open();
    played.next().refuse(code);
    await played.settle();
    expect(handle.status.get()).toMatchObject({ state: 'failed', fault: { code } });
    expect((await played.storage.outbox())[0]).toMatchObject({ state: 'failed' });
    expect(handle.retry()).toBe(true);
    await played.settle();
    played.next().accept();
    await played.settle();
    expect(handle.status.get()).toEqual({ state: 'accepted', persisted: true });
  },
);

test('gives up when the server itself fails at it ten times in a row', async () => {
  const played = await playOutbox();
  const handle = played.say('1');
  await played.open();
  for (let count = 0; count < 10; count++) {
    expect(handle.status.get().state).toBe('sending');
    played.next().refuse('internal');
    await played.settle();
    await played.clock.advance(200);
  }
  expect(handle.status.get().state).toBe('failed');
});

test('is cancelled only while it was never written to a socket', async () => {
  const played = await playOutbox();
  const early = played.say('early');
  expect(early.cancel()).toBe(true);
  await expect(early.accepted).rejects.toThrow('cancelled');
  const late = played.say('late');
  await played.open();
  expect(played.bodies).toEqual(['late']);
  expect(late.cancel()).toBe(false);
  await played.cut();
  expect(late.cancel()).toBe(false);
  expect((await played.storage.outbox()).map(({ body }) => body)).toEqual(['late']);
});

test('a failed message can be taken away', async () => {
  const played = await playOutbox();
  const handle = played.say('1');
  await played.open();
  played.next().refuse('forbidden');
  await played.settle();
  expect(handle.cancel()).toBe(true);
  await played.settle();
  expect(played.outbox.waiting('c')).toEqual([]);
  expect(await played.storage.outbox()).toEqual([]);
});

test('an answer that another tab had before is counted once', async () => {
  const played = await playOutbox();
  const { clientId } = played.say('1');
  played.say('2', 'd');
  await played.open();
  played.outbox.settle(clientId, { id: '1-0', conversation: 'c', seq: 1, at: 1 });
  expect(played.outbox.size).toBe(1);
  played.next().accept();
  await played.settle();
  expect(played.outbox.size).toBe(1);
});

test('the last accepted messages are remembered, and those of a day', async () => {
  const played = await playOutbox({ keepAccepted: 2 });
  await played.open();
  const accept = async (body: string, at: number): Promise<void> => {
    played.say(body);
    await played.settle();
    played.next().accept(undefined, at);
    await played.settle();
  };
  const remembered = (): unknown[] => played.outbox.all().map(({ body }) => body);
  for (const body of ['1', '2', '3']) await accept(body, 1);
  expect(remembered()).toEqual(['2', '3']);
  await accept('4', 86_400_002);
  expect(remembered()).toEqual(['4']);
  expect((await played.storage.outbox()).map(({ body }) => body)).toEqual(['4']);
});

test('is sent as it was, whatever becomes of its object', async () => {
  const played = await playOutbox();
  const body = { text: 'first' };
  played.say(body);
  body.text = 'second';
  await played.open();
  expect(played.bodies).toEqual([{ text: 'first' }]);
});

test('the same clientId twice is one message', async () => {
  const played = await playOutbox();
  const [one, two] = [played.say('1', 'c', { clientId: 'x' }), played.say('1', 'c', { clientId: 'x' })];
  expect(one).toBe(two);
  await played.open();
  expect(played.wire).toHaveLength(1);
});

test('refuses what the server would refuse for its size, and more than may wait', async () => {
  const played = await playOutbox();
  expect(() => played.say('x'.repeat(99))).toThrow('at most 100 bytes');
  expect(() => played.say(undefined)).toThrow('JSON');
  for (let index = 0; index < 10_000; index++) played.say(index, `c${index % 50}`);
  expect(() => played.say('one more')).toThrow(OutboxFull);
});
