import { expect, test } from 'vitest';
import { readMissing } from '../../../../../tools/rehearsal/device/gap-reading.ts';
import { answerHistory, greet, item, openDevice, playServerForDevices } from './played-device.ts';

/** Reading an inbox page by page, and what is missing of a gap. */

playServerForDevices();

test('a pull device reads page by page, gaps before the items behind them, and confirms the last', async () => {
  const { device, items, gaps, violations } = openDevice({ mode: 'pull', holdMs: 60_000 });
  const { peer, hello } = await greet({ position: 4 });
  expect(hello['mode']).toBe('pull');
  const synced = device.sync();
  const first = await peer.next('sync');
  expect(first).toMatchObject({ after: 4, epoch: 'e1' });
  peer.say({
    type: 'page',
    re: first['id'],
    items: [item(undefined, 1), item(5, 2), item(undefined, 3), item(7, 9)],
    gaps: [{ position: 6, conversation: 'c', fromSeq: 4, toSeq: 8 }],
    next: 7,
    more: true,
    epoch: 'e1',
  });
  const second = await peer.next('sync');
  expect(second).toMatchObject({ after: 7 });
  // The end of the inbox may be a position that nothing has.
  peer.say({ type: 'page', re: second['id'], items: [], gaps: [], next: 9, more: false, epoch: 'e1' });
  await synced;
  expect(await peer.next('received')).toEqual({ type: 'received', position: 9 });
  expect({ items, gaps, violations }).toEqual({
    items: [1, 2, 3, 9].map((seq) => [seq, true]),
    gaps: [6],
    violations: [],
  });
});

test('resync_required makes it connect again, and read from the start of the new epoch', async () => {
  const { device } = openDevice({ mode: 'pull' });
  const { peer } = await greet({ position: 8 });
  const synced = device.sync();
  const { id } = await peer.next('sync');
  peer.say({ type: 'error', re: id, code: 'resync_required', message: 'another epoch', retryable: false });
  const { peer: next } = await greet({ epoch: 'e2', reset: true });
  const second = await next.next('sync');
  expect(second).toMatchObject({ after: 0, epoch: 'e2' });
  next.say({ type: 'page', re: second['id'], items: [], gaps: [], next: 0, more: false, epoch: 'e2' });
  await synced;
});

test('an item or a gap that cannot be read is a fault, and the rest counts', async () => {
  const faults: string[] = [];
  const { items } = openDevice({ events: { fault: (error, where) => faults.push(`${where}: ${error.message}`) } });
  const { peer } = await greet();
  peer.say({ type: 'deliver', items: [{ position: 1 }, item(2, 2)] });
  peer.say({ type: 'gap', position: 3 });
  await peer.next('received');
  expect(items).toEqual([[2, true]]);
  expect(faults).toEqual(['frame: an item without a message that can be read', 'frame: a gap that can not be read']);
});

test('of a gap only what is missing is read, also where it comes meanwhile', async () => {
  const { device, items, violations } = openDevice();
  const { peer } = await greet();
  const filled: number[] = [];
  const fill = (fromSeq: number, toSeq: number) =>
    readMissing(
      { fromSeq, toSeq },
      {
        has: (seq) => device.has('c', seq),
        read: (range) =>
          device.history({
            conversation: 'c',
            after: range.fromSeq - 1,
            limit: range.toSeq - range.fromSeq + 1,
          }),
        take: ({ seq }) => filled.push(seq),
      },
    );
  peer.say({ type: 'deliver', items: [item(undefined, 3), item(undefined, 4), item(1, 8)] });
  await peer.next('received');
  const done = fill(2, 9);
  expect(await answerHistory(peer, [2], true)).toMatchObject({ conversation: 'c', after: 1, limit: 1 });
  // 9 comes live before its turn.
  const request = await peer.next('history');
  expect(request).toMatchObject({ after: 4, limit: 3 });
  peer.say({ type: 'deliver', items: [item(undefined, 9)] });
  const messages = [item(undefined, 5), item(undefined, 6)].map(({ message }) => message);
  peer.say({ type: 'history', re: request['id'], conversation: 'c', messages, more: false, absent: [] });
  await done;
  expect(filled).toEqual([2, 5, 6]);
  // What history gave first is not fresh when it comes as an item; that is no repetition, for the device had asked.
  peer.say({ type: 'deliver', items: [item(undefined, 6), item(2, 10)] });
  await peer.next('received');
  expect(items.slice(-3)).toEqual([
    [9, true],
    [6, false],
    [10, true],
  ]);
  expect(violations).toEqual([]);
  await fill(2, 6);
  expect(peer.frames.filter(({ type }) => type === 'history')).toHaveLength(2);
});

test('seqs of a gap that history does not have are passed over, and messages beyond it are left', async () => {
  const asked: unknown[] = [];
  const filled: number[] = [];
  const pages = [
    { seqs: [1, 90], more: true },
    { seqs: [], more: true },
    { seqs: [249, 251, 252], more: true },
  ];
  await readMissing(
    { fromSeq: 1, toSeq: 250 },
    {
      has: () => false,
      async read(range) {
        asked.push([range.fromSeq, range.toSeq]);
        const { seqs, more } = pages.shift()!;
        return {
          conversation: 'c',
          messages: seqs.map((seq) => item(undefined, seq).message),
          more,
          absent: [],
        };
      },
      take: ({ seq }) => filled.push(seq),
    },
  );
  expect(filled).toEqual([1, 90, 249]);
  expect(asked).toEqual([
    [1, 100],
    [91, 190],
    [191, 250],
  ]);
});
