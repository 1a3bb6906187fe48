import { expect, test } from 'vitest';
import { accept, answerHistory, draft, greet, item, open, playOneServerEach, watch } from './played-device.ts';

playOneServerEach();

test('of a gap only what is missing is read, whether its items came before it or come meanwhile', async () => {
  const { log, events } = watch();
  const device = open({ events });
  const { peer } = await greet();
  const sent = device.send(draft('own'));
  accept(peer, await peer.next('send'), 7);
  await sent;
  const gap = { conversation: 'c', fromSeq: 2, toSeq: 9 };
  peer.say({ type: 'deliver', items: [item(undefined, 3), item(undefined, 4), item(undefined, 8)] });
  peer.say({ type: 'gap', position: 1, ...gap });
  expect(await peer.next('received')).toEqual({ type: 'received', position: 1 });
  expect(device.missing(gap)).toEqual([
    { fromSeq: 2, toSeq: 2 },
    { fromSeq: 5, toSeq: 6 },
    { fromSeq: 9, toSeq: 9 },
  ]);
  const filled: number[] = [];
  const done = device.fill(gap, ({ seq }) => filled.push(seq));
  expect(await answerHistory(peer, [2], { more: true })).toMatchObject({ conversation: 'c', after: 1, limit: 1 });
  // 9 comes live before its turn, and 5 while it is being read.
  const request = await peer.next('history');
  expect(request).toMatchObject({ after: 4, limit: 2 });
  peer.say({ type: 'deliver', items: [item(undefined, 9)] });
  peer.say({
    type: 'history',
    re: request['id'],
    conversation: 'c',
    messages: [item(undefined, 5), item(undefined, 6)].map(({ message }) => message),
    more: true,
    absent: [],
  });
  await done;
  expect(filled).toEqual([2, 5, 6]);
  expect(device.missing(gap)).toEqual([]);
  await device.fill(gap, ({ seq }) => filled.push(seq));
  expect(peer.frames.filter(({ type }) => type === 'history')).toHaveLength(2);
  // What history gave first is not fresh when it comes as an item; that is no repetition, for the device had asked.
  peer.say({ type: 'deliver', items: [item(undefined, 6), item(2, 10)] });
  await peer.next('received');
  expect(log).toMatchObject({
    items: [
      [3, true],
      [4, true],
      [8, true],
      [9, true],
      [6, false],
      [10, true],
    ],
    gaps: [1],
    violations: [],
  });
  expect(filled).toEqual([2, 5, 6]);
});

test('seqs of a gap that history does not have are passed over, and messages beyond it are left', async () => {
  const device = open();
  const { peer } = await greet();
  const filled: number[] = [];
  const done = device.fill({ conversation: 'c', fromSeq: 1, toSeq: 250 }, ({ seq }) => filled.push(seq));
  expect(await answerHistory(peer, [1, 90], { more: true })).toMatchObject({ after: 0, limit: 100 });
  expect(await answerHistory(peer, [], { more: true })).toMatchObject({ after: 90, limit: 100 });
  expect(await answerHistory(peer, [249, 251, 252], { more: true })).toMatchObject({ after: 190, limit: 60 });
  await done;
  expect(filled).toEqual([1, 90, 249]);
  const rest = device.fill({ conversation: 'c', fromSeq: 248, toSeq: 253 }, ({ seq }) => filled.push(seq));
  expect(await answerHistory(peer, [249, 250, 251, 252], { more: true })).toMatchObject({ after: 247, limit: 1 });
  expect(await answerHistory(peer, [250], { more: false })).toMatchObject({ after: 249, limit: 4 });
  await rest;
  expect(filled).toEqual([1, 90, 249, 250]);
});

test('what was read from history with another id than came as an item is a contradiction', async () => {
  const { log, events } = watch();
  const device = open({ events });
  const { peer } = await greet();
  peer.say({ type: 'deliver', items: [item(undefined, 1)] });
  const asked = device.history({ conversation: 'c' });
  const request = await peer.next('history');
  peer.say({
    type: 'history',
    re: request['id'],
    conversation: 'c',
    messages: [item(undefined, 1, 'other').message],
    more: false,
    absent: [],
  });
  await asked;
  expect(log.violations).toEqual([{ kind: 'contradiction', conversation: 'c', seq: 1, ids: ['1-0', 'other'] }]);
});
