import { beforeEach, describe, expect, test } from 'vitest';
import { LargeGroupSeats } from '../../../../gateway/push/large-group-seats.ts';
import type { MembershipChange } from '../../../../shared/model/entry.ts';
import type { LargeMessage } from '../../../../shared/redis/push-bus.ts';

const message = (seq: number, version = 1, change: MembershipChange | null = null): LargeMessage => ({
  conversation: 'g',
  seq,
  version,
  sender: 'alice',
  device: '-',
  change,
  text: `${seq}`,
});

const member = [{ joined: 0, left: null }];

let seats: LargeGroupSeats;
/** bob and carol have their seats, everything up to seq 10 is announced. */
beforeEach(() => {
  seats = new LargeGroupSeats('g');
  for (const user of ['bob', 'carol']) {
    seats.open(user);
    seats.place(user, 10, member, 10, 1);
  }
});

const usersTo = (given: LargeMessage): string[] => seats.pass(given).to.map(({ user }) => user);
const seqs = (waited: LargeMessage[] | null): number[] | undefined => waited?.map(({ seq }) => seq);

describe('messages of a large group at a gateway', () => {
  test('the next one goes to everybody, a repeated one to nobody', () => {
    expect(usersTo(message(11))).toEqual(['bob', 'carol']);
    expect(usersTo(message(11))).toEqual([]);
    expect(usersTo(message(9))).toEqual([]);
    expect(usersTo(message(12))).toEqual(['bob', 'carol']);
  });

  test('when one was lost everybody is read again, and what waits goes out behind what that announces', () => {
    const { to, missed, lost } = seats.pass(message(13));
    expect([to, missed, lost]).toEqual([[], ['bob', 'carol'], 2]);
    expect(seats.pass(message(14)).to).toEqual([]);
    expect(seqs(seats.place('bob', 13, member, 13, 1))).toEqual([14]);
    expect(usersTo(message(15))).toEqual(['bob']);
    expect(seqs(seats.place('carol', 14, member, 14, 1))).toEqual([15]);
    expect(usersTo(message(16))).toEqual(['bob', 'carol']);
  });

  test('who comes waits until its place is read, and gets what is beyond it', () => {
    seats.open('dave');
    expect(usersTo(message(11))).toEqual(['bob', 'carol']);
    expect(usersTo(message(12))).toEqual(['bob', 'carol']);
    expect(seqs(seats.place('dave', 11, member, 11, 1))).toEqual([12]);
    expect(usersTo(message(13))).toEqual(['bob', 'carol', 'dave']);
  });

  test('the first one at all tells where the group is', () => {
    seats = new LargeGroupSeats('g');
    seats.open('bob');
    expect(seats.pass(message(7))).toEqual({ to: [], missed: [], stale: [], gone: null, lost: 0 });
    expect(seqs(seats.place('bob', 6, member, 6, 1))).toEqual([7]);
    expect(usersTo(message(8))).toEqual(['bob']);
  });

  test('a hole among the first ones has the place read again', () => {
    seats = new LargeGroupSeats('g');
    seats.open('bob');
    seats.pass(message(8));
    expect(seats.place('bob', 6, member, 6, 1)).toBe(null);
    expect(seqs(seats.place('bob', 8, member, 8, 1))).toEqual([]);
    expect(usersTo(message(9))).toEqual(['bob']);
  });

  test('what came before the reading began is in what it announces, however much it was', () => {
    seats.pass(message(12));
    for (let seq = 13; seq <= 200; seq++) seats.pass(message(seq));
    seats.open('bob');
    seats.pass(message(201));
    expect(seqs(seats.place('bob', 200, member, 200, 1))).toEqual([201]);
    expect(usersTo(message(202))).toEqual(['bob']);
  });

  test('spans that are read beside it do not end the reading of a place', () => {
    seats.pass(message(11, 3));
    seats.open('bob');
    seats.pass(message(12, 3));
    expect(seats.place('bob', null, member, 12, 3)).toEqual([]);
    expect(usersTo(message(13, 3))).toEqual([]);
    expect(seqs(seats.place('bob', 11, member, 11, 3))).toEqual([12, 13]);
    expect(seqs(seats.place('carol', null, member, 12, 3))).toEqual([11, 12, 13]);
  });

  test('what did not come at all has every place read, and spans alone are not enough', () => {
    expect(seats.lose(12)).toEqual(['bob', 'carol']);
    expect(usersTo(message(13))).toEqual([]);
    expect(seats.place('bob', null, member, 13, 1)).toEqual([]);
    // Nor is a reading that had begun before.
    expect(seats.place('bob', 10, member, 10, 1)).toBe(null);
    seats.open('carol');
    expect(usersTo(message(14))).toEqual([]);
    expect(seqs(seats.place('bob', 13, member, 13, 1))).toEqual([14]);
    expect(seqs(seats.place('carol', 13, member, 13, 1))).toEqual([14]);
    expect(usersTo(message(15))).toEqual(['bob', 'carol']);
  });

  test('what is lost while a place is read has it read again', () => {
    seats.open('bob');
    seats.pass(message(12));
    expect(seats.place('bob', 10, member, 10, 1)).toBe(null);
    expect(seqs(seats.place('bob', 12, member, 12, 1))).toEqual([]);
    expect(usersTo(message(13))).toEqual(['bob']);
  });

  test('nor are they where one was lost', () => {
    seats.pass(message(13));
    expect(seats.place('bob', null, member, 13, 1)).toEqual([]);
    expect(usersTo(message(14))).toEqual([]);
  });

  test('what does not fit any more while a place is read has it read again', () => {
    seats.open('bob');
    for (let seq = 11; seq <= 111; seq++) seats.pass(message(seq));
    expect(seats.place('bob', 10, member, 10, 1)).toBe(null);
    expect(seats.pass(message(112)).to.map(({ user }) => user)).toEqual(['carol']);
    expect(seqs(seats.place('bob', 111, member, 111, 1))).toEqual([112]);
  });
});

describe('changes of members', () => {
  test('who leaves gets nothing any more, and its leave not by this way', () => {
    const { to, gone } = seats.pass(message(11, 2, { user: 'bob', action: 'left', spans: '0-11' }));
    expect([to.map(({ user }) => user), gone]).toEqual([['carol'], 'bob']);
    expect(usersTo(message(12, 2))).toEqual(['carol']);
  });

  test('who joins is read, and gets its join not by this way', () => {
    const change = { user: 'dave', action: 'joined' as const, spans: '10-' };
    expect(seats.pass(message(11, 2, change))).toMatchObject({ missed: ['dave'] });
    seats.open('dave');
    expect(usersTo(message(12, 2))).toEqual(['bob', 'carol']);
    expect(seqs(seats.place('dave', 11, [{ joined: 10, left: null }], 12, 2))).toEqual([12]);
  });

  test('a change that was not heard of has all spans read before anybody gets what came after it', () => {
    const { to, stale } = seats.pass(message(11, 3));
    expect([to, stale]).toEqual([[], ['bob', 'carol']]);
    // bob has left before: nothing that waited is for him.
    expect(seqs(seats.place('bob', 10, [{ joined: 0, left: 10 }], 11, 3))).toEqual([]);
    expect(seqs(seats.place('carol', 10, member, 11, 3))).toEqual([11]);
    expect(usersTo(message(12, 3))).toEqual(['carol']);
  });

  test('spans of an earlier version than the newest message are not good enough', () => {
    seats.pass(message(11, 3));
    expect(seats.place('bob', 10, member, 10, 2)).toBe(null);
    expect(seqs(seats.place('bob', 10, member, 11, 3))).toEqual([11]);
  });
});
