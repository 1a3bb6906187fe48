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
  test('gives the next message to everybody and a repeated one to nobody', () => {
    expect(usersTo(message(11))).toEqual(['bob', 'carol']);
    expect(usersTo(message(11))).toEqual([]);
    expect(usersTo(message(9))).toEqual([]);
    expect(usersTo(message(12))).toEqual(['bob', 'carol']);
  });

  test('reads every place again after a loss, and hands over only what is above the announcement', () => {
    const { to, missed, lost } = seats.pass(message(13));
    expect([to, missed, lost]).toEqual([[], ['bob', 'carol'], 2]);
    expect(seats.pass(message(14)).to).toEqual([]);
    expect(seqs(seats.place('bob', 13, member, 13, 1))).toEqual([14]);
    expect(usersTo(message(15))).toEqual(['bob']);
    expect(seqs(seats.place('carol', 14, member, 14, 1))).toEqual([15]);
    expect(usersTo(message(16))).toEqual(['bob', 'carol']);
  });

  test('lets a new user wait until its place is read, then gives it what is above', () => {
    seats.open('dave');
    expect(usersTo(message(11))).toEqual(['bob', 'carol']);
    expect(usersTo(message(12))).toEqual(['bob', 'carol']);
    expect(seqs(seats.place('dave', 11, member, 11, 1))).toEqual([12]);
    expect(usersTo(message(13))).toEqual(['bob', 'carol', 'dave']);
  });

  test('takes the newest seq from the first place that is read', () => {
    seats = new LargeGroupSeats('g');
    seats.open('bob');
    expect(seats.pass(message(7))).toEqual({ to: [], missed: [], stale: [], gone: null, lost: 0 });
    expect(seqs(seats.place('bob', 6, member, 6, 1))).toEqual([7]);
    expect(usersTo(message(8))).toEqual(['bob']);
  });

  test('reads a place again if there is a hole among the first messages', () => {
    seats = new LargeGroupSeats('g');
    seats.open('bob');
    seats.pass(message(8));
    expect(seats.place('bob', 6, member, 6, 1)).toBe(null);
    expect(seqs(seats.place('bob', 8, member, 8, 1))).toEqual([]);
    expect(usersTo(message(9))).toEqual(['bob']);
  });

  test('drops messages from before a reading, which announces them', () => {
    seats.pass(message(12));
    for (let seq = 13; seq <= 200; seq++) seats.pass(message(seq));
    seats.open('bob');
    seats.pass(message(201));
    expect(seqs(seats.place('bob', 200, member, 200, 1))).toEqual([201]);
    expect(usersTo(message(202))).toEqual(['bob']);
  });

  test('goes on reading a place when only spans were read', () => {
    seats.pass(message(11, 3));
    seats.open('bob');
    seats.pass(message(12, 3));
    expect(seats.place('bob', null, member, 12, 3)).toEqual([]);
    expect(usersTo(message(13, 3))).toEqual([]);
    expect(seqs(seats.place('bob', 11, member, 11, 3))).toEqual([12, 13]);
    expect(seqs(seats.place('carol', null, member, 12, 3))).toEqual([11, 12, 13]);
  });

  test('reads every place when messages did not come, and not only spans', () => {
    expect(seats.lose(12)).toEqual(['bob', 'carol']);
    expect(usersTo(message(13))).toEqual([]);
    expect(seats.place('bob', null, member, 13, 1)).toEqual([]);
    // A reading that began before is not enough either.
    expect(seats.place('bob', 10, member, 10, 1)).toBe(null);
    seats.open('carol');
    expect(usersTo(message(14))).toEqual([]);
    expect(seqs(seats.place('bob', 13, member, 13, 1))).toEqual([14]);
    expect(seqs(seats.place('carol', 13, member, 13, 1))).toEqual([14]);
    expect(usersTo(message(15))).toEqual(['bob', 'carol']);
  });

  test('reads a place again if a message is lost meanwhile', () => {
    seats.open('bob');
    seats.pass(message(12));
    expect(seats.place('bob', 10, member, 10, 1)).toBe(null);
    expect(seqs(seats.place('bob', 12, member, 12, 1))).toEqual([]);
    expect(usersTo(message(13))).toEqual(['bob']);
  });

  test('does not take spans for a place after a loss', () => {
    seats.pass(message(13));
    expect(seats.place('bob', null, member, 13, 1)).toEqual([]);
    expect(usersTo(message(14))).toEqual([]);
  });

  test('reads a place again if more than 100 messages come meanwhile', () => {
    seats.open('bob');
    for (let seq = 11; seq <= 111; seq++) seats.pass(message(seq));
    expect(seats.place('bob', 10, member, 10, 1)).toBe(null);
    expect(seats.pass(message(112)).to.map(({ user }) => user)).toEqual(['carol']);
    expect(seqs(seats.place('bob', 111, member, 111, 1))).toEqual([112]);
  });
});

describe('changes of members', () => {
  test('gives nothing more to a user that leaves, not even its leave', () => {
    const { to, gone } = seats.pass(message(11, 2, { user: 'bob', action: 'left', spans: '0-11' }));
    expect([to.map(({ user }) => user), gone]).toEqual([['carol'], 'bob']);
    expect(usersTo(message(12, 2))).toEqual(['carol']);
  });

  test('reads the place of a user that joins, and does not give it its join', () => {
    const change = { user: 'dave', action: 'joined' as const, spans: '10-' };
    expect(seats.pass(message(11, 2, change))).toMatchObject({ missed: ['dave'] });
    seats.open('dave');
    expect(usersTo(message(12, 2))).toEqual(['bob', 'carol']);
    expect(seqs(seats.place('dave', 11, [{ joined: 10, left: null }], 12, 2))).toEqual([12]);
  });

  test('reads all spans after a missed change, before anybody gets the next message', () => {
    const { to, stale } = seats.pass(message(11, 3));
    expect([to, stale]).toEqual([[], ['bob', 'carol']]);
    // bob has left before: nothing that waited is for him.
    expect(seqs(seats.place('bob', 10, [{ joined: 0, left: 10 }], 11, 3))).toEqual([]);
    expect(seqs(seats.place('carol', 10, member, 11, 3))).toEqual([11]);
    expect(usersTo(message(12, 3))).toEqual(['carol']);
  });

  test('refuses spans that are older than the newest message', () => {
    seats.pass(message(11, 3));
    expect(seats.place('bob', 10, member, 10, 2)).toBe(null);
    expect(seqs(seats.place('bob', 10, member, 11, 3))).toEqual([11]);
  });
});
