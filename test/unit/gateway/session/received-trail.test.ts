import { expect, test } from 'vitest';
import { ReceivedTrail } from '../../../../gateway/session/received-trail.ts';

const text = (conversation: string, seq: number, sender: string): string =>
  `{"id":"0-1-${seq}","conversation":"${conversation}","seq":${seq},"at":1,"sender":"${sender}","clientId":"c"}`;

test('says of each conversation the last seq that is covered, and who wrote the covered messages', () => {
  const trail = new ReceivedTrail();
  trail.note(1, text('c', 1, 'alice'));
  trail.note(2, text('d', 7, 'carol'));
  trail.note(4, text('c', 2, 'eve'));
  trail.note(4, text('c', 2, 'eve'));
  trail.note(3, text('c', 9, 'late'));
  trail.note(5, text('c', 3, 'alice'));
  expect(trail.take(0)).toBeNull();
  expect(trail.take(4)).toEqual([
    {
      conversation: 'c',
      seq: 2,
      senders: [
        { user: 'alice', seq: 1 },
        { user: 'eve', seq: 2 },
      ],
    },
    { conversation: 'd', seq: 7, senders: [{ user: 'carol', seq: 7 }] },
  ]);
  expect(trail.take(4)).toBeNull();
  expect(trail.take(9)).toEqual([{ conversation: 'c', seq: 3, senders: [{ user: 'alice', seq: 3 }] }]);
});

test('remembers a bounded number of items, the newest', () => {
  const trail = new ReceivedTrail();
  for (let position = 1; position <= 5000; position++) trail.note(position, text('c', position, 'alice'));
  expect(trail.take(3000)).toBeNull();
  expect(trail.take(5000)).toEqual([{ conversation: 'c', seq: 5000, senders: [{ user: 'alice', seq: 5000 }] }]);
});

test('remembers who wrote after it was received, of the newest conversations and senders', () => {
  const trail = new ReceivedTrail();
  for (let seq = 1; seq <= 30; seq++) trail.note(seq, text('c', seq, `s${seq}`));
  trail.note(31, text('c', 31, 's20'));
  trail.take(31);
  expect(trail.sendersOf('c')).toHaveLength(20);
  expect(trail.sendersOf('c').at(-1)).toEqual({ user: 's20', seq: 31 });
  expect(trail.sendersOf('c')[0]).toEqual({ user: 's11', seq: 11 });
  for (let i = 0; i < 64; i++) trail.note(100 + i, text(`d${i}`, 1, 'alice'));
  expect(trail.sendersOf('c')).toEqual([]);
  expect(trail.sendersOf('d0')).toEqual([{ user: 'alice', seq: 1 }]);
});
