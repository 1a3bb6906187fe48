import { expect, test } from 'vitest';
import { playOutbox, type PlayedOutbox } from './played-outbox.ts';

/** In which order messages go on the wire, and what a refusal does to it. */

const onWire = ({ wire }: PlayedOutbox): unknown[] => wire.map(({ frame }) => frame['body']);

test('one send of a conversation at a time, and conversations do not wait for each other', async () => {
  const played = await playOutbox();
  await played.open();
  for (const body of ['a1', 'a2']) played.say(body, 'a');
  played.say('b1', 'b');
  await played.settle();
  expect(onWire(played)).toEqual(['a1', 'b1']);
  played.next().accept();
  await played.settle();
  expect(onWire(played)).toEqual(['b1', 'a2']);
});

test('with ordered-sends several are on the wire, each naming the one before that has no answer yet', async () => {
  const played = await playOutbox({ features: ['ordered-sends'] });
  played.pace.perLane = 3;
  const handles = ['1', '2', '3', '4'].map((body) => played.say(body));
  await played.open();
  const ids = handles.map(({ clientId }) => clientId);
  expect(played.wire.map(({ frame }) => frame['after'])).toEqual([undefined, ids[0], ids[1]]);
  played.next().accept();
  await played.settle();
  expect(played.wire.map(({ frame }) => [frame['body'], frame['after']])).toEqual([
    ['2', ids[0]],
    ['3', ids[1]],
    ['4', ids[2]],
  ]);
});

test('a refusal in the middle holds those behind it until all have answers, then the order goes on', async () => {
  const played = await playOutbox({ features: ['ordered-sends'] });
  for (const body of ['1', '2', '3']) played.say(body);
  await played.open();
  const [one, two, three] = [...played.wire];
  one!.refuse('retry_later');
  await played.settle();
  await played.clock.advance(1000);
  two!.refuse('out_of_order', { retryable: true });
  await played.settle();
  expect(onWire(played)).toEqual(['3']);
  three!.refuse('out_of_order', { retryable: true });
  await played.clock.advance(1000);
  expect(played.wire.map(({ frame }) => [frame['body'], frame['after'] !== undefined])).toEqual([
    ['1', false],
    ['2', true],
    ['3', true],
  ]);
});

test('a message that is refused for good lets later ones go on', async () => {
  const played = await playOutbox({ features: ['ordered-sends'] });
  const handles = ['1', '2', '3'].map((body) => played.say(body));
  await played.open();
  const [one, two, three] = [...played.wire];
  one!.accept();
  two!.refuse('forbidden');
  three!.refuse('out_of_order', { retryable: true });
  await played.settle();
  await expect(handles[1]!.accepted).rejects.toMatchObject({ code: 'forbidden' });
  expect(handles[1]!.status.get()).toMatchObject({ state: 'failed', fault: { code: 'forbidden' } });
  expect(played.wire.map(({ frame }) => [frame['body'], frame['after']])).toEqual([['3', undefined]]);
});

test('a chain of a hundred keeps its order over refusals', async () => {
  const played = await playOutbox({ features: ['ordered-sends'] });
  const handles = Array.from({ length: 100 }, (_, index) => played.say(String(index + 1)));
  await played.open();
  const known = new Set<unknown>();
  const refusedOnce = new Set<unknown>();
  for (let step = 0; step < 2000 && played.outbox.size > 0; step++) {
    const one = played.wire[0];
    if (one === undefined) {
      await played.clock.advance(200);
      continue;
    }
    const { after, body, clientId } = one.frame;
    if (after !== undefined && !known.has(after)) one.refuse('out_of_order', { retryable: true });
    else if (Number(body) % 7 === 0 && !refusedOnce.has(body)) {
      refusedOnce.add(body);
      one.refuse('retry_later');
    } else if (body === '13') one.refuse('bad_request');
    else {
      known.add(clientId);
      one.accept();
    }
    await played.settle();
  }
  const expected = Array.from({ length: 100 }, (_, index) => String(index + 1)).filter((body) => body !== '13');
  expect(played.accepted).toEqual(expected);
  expect(handles[12]!.status.get().state).toBe('failed');
});

test('important, urgent and open conversations go first, then the one whose head waits longest', async () => {
  const played = await playOutbox();
  played.pace.lanes = 1;
  played.say('low', 'l', { priority: 'low' });
  played.say('normal', 'n');
  played.say('later', 'm');
  played.say('important', 'i', { class: 'important' });
  played.say('focused', 'f');
  played.focused.add('f');
  await played.settle();
  await played.open();
  for (let count = 0; count < 5; count++) {
    if (count === 4) await played.clock.advance(5000);
    played.next().accept();
    await played.settle();
  }
  expect(played.bodies).toEqual(['important', 'focused', 'normal', 'later', 'low']);
});

test('low waits while a connection begins', async () => {
  const played = await playOutbox();
  played.say('low', 'l', { priority: 'low' });
  played.say('normal', 'n');
  await played.open();
  await played.clock.advance(4999);
  expect(onWire(played)).toEqual(['normal']);
  await played.clock.advance(1);
  expect(onWire(played)).toEqual(['normal', 'low']);
});

test('low waits while the network is bad, but for a minute at most', async () => {
  const played = await playOutbox();
  played.pace.holdLow = true;
  await played.open();
  await played.clock.advance(10_000);
  played.say('one', 'l', { priority: 'low' });
  await played.settle();
  await played.clock.advance(54_000);
  expect(onWire(played)).toEqual([]);
  await played.clock.advance(6000);
  expect(onWire(played)).toEqual(['one']);
  played.say('two', 'm', { priority: 'low' });
  await played.settle();
  expect(onWire(played)).toEqual(['one']);
  played.pace.holdLow = false;
  played.outbox.pump();
  expect(onWire(played)).toEqual(['one', 'two']);
});

test('keeps the rate of the server', async () => {
  const played = await playOutbox({ sendPerSecond: 2 });
  await played.open();
  for (let index = 0; index < 10; index++) played.say(index, `c${index}`);
  await played.settle();
  const first = played.wire.length;
  expect(first).toBeLessThanOrEqual(4);
  await played.clock.advance(1000);
  expect(played.wire.length - first).toBe(2);
});
