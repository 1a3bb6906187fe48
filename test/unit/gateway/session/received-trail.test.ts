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
    { conversation: 'c', seq: 2, senders: ['alice', 'eve'] },
    { conversation: 'd', seq: 7, senders: ['carol'] },
  ]);
  expect(trail.take(4)).toBeNull();
  expect(trail.take(9)).toEqual([{ conversation: 'c', seq: 3, senders: ['alice'] }]);
});

test('remembers a bounded number of items, the newest', () => {
  const trail = new ReceivedTrail();
  for (let position = 1; position <= 5000; position++) trail.note(position, text('c', position, 'alice'));
  expect(trail.take(3000)).toBeNull();
  expect(trail.take(5000)).toEqual([{ conversation: 'c', seq: 5000, senders: ['alice'] }]);
});
