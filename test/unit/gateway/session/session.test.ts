import { beforeEach, describe, expect, test } from 'vitest';
import { receiveWithinMs } from '../../../../shared/model/limits.ts';
import {
  advanced,
  answerAll,
  inbox,
  numbers,
  open,
  push,
  remind,
  startOver,
  textOf,
  written,
} from './session-and-inbox.ts';

beforeEach(startOver);

describe('live', () => {
  test('sends the next position straight to the socket', () => {
    const session = open('push');
    push(session);
    push(session);
    expect(written).toEqual([1, 2]);
    expect(inbox.asked).toEqual([]);
  });

  test('writes a repeated push once', () => {
    const session = open('push');
    push(session);
    session.deliver(1, textOf(1), false);
    session.flush();
    expect(written).toEqual([1]);
  });

  test('joins the items of one payload into frames of at most 200', () => {
    const session = open('push');
    const frames: number[] = [];
    for (let position = 1; position <= 450; position++) {
      const before = written.length;
      session.deliver(position, textOf(position), false);
      if (written.length > before) frames.push(written.length - before);
    }
    session.flush();
    frames.push(written.length - frames.reduce((sum, count) => sum + count, 0));
    expect(frames).toEqual([200, 200, 50]);
    expect(written).toEqual(numbers(1, 450));
  });

  test('reads the inbox when the next push shows that one was lost', async () => {
    const session = open('push');
    push(session);
    push(session, { lost: true });
    push(session);
    expect(written).toEqual([1]);
    expect(inbox.asked.map(({ after }) => after)).toEqual([1]);
    await answerAll();
    expect(written).toEqual([1, 2, 3]);
  });

  test('reads the inbox when the lease renewal shows that the last push was lost', async () => {
    const session = open('push');
    push(session, { lost: true });
    session.heard(1);
    await answerAll();
    expect(written).toEqual([1]);
    session.heard(1);
    expect(inbox.asked).toEqual([]);
  });
});

describe('received', () => {
  test('moves the device forward and never back', async () => {
    const session = open('push');
    for (let i = 0; i < 5; i++) push(session);
    await session.confirm(3);
    await session.confirm(2);
    await session.confirm(3);
    await session.confirm(5);
    expect(advanced).toEqual([3, 5]);
  });

  test('refuses a position above the head and changes nothing', async () => {
    const session = open('push');
    push(session);
    await expect(session.confirm(2)).rejects.toMatchObject({ code: 'bad_request' });
    expect([session.received, session.sent, advanced]).toEqual([0, 1, []]);
  });

  test('accepts a position that this gateway has not heard of, up to the head', async () => {
    const session = open('push');
    push(session, { lost: true });
    await session.confirm(1);
    expect(advanced).toEqual([1]);
    session.deliver(1, textOf(1), false);
    session.flush();
    await answerAll();
    expect(written).toEqual([]);
  });

  test('moves no device in lazy mode', async () => {
    const session = open('lazy', { head: 5 });
    push(session);
    await session.confirm(6);
    expect([written, advanced]).toEqual([[6], []]);
  });
});

describe('own messages', () => {
  test('are not written, and need no receipt once all before them is received', () => {
    const session = open('push');
    push(session, { own: true });
    push(session, { own: true });
    expect([written, advanced]).toEqual([[], [1, 2]]);
  });

  test('above an unreceived item wait for its receipt', async () => {
    const session = open('push');
    push(session);
    push(session, { own: true });
    push(session, { own: true });
    push(session);
    expect([written, advanced]).toEqual([[1, 4], []]);
    await session.confirm(1);
    expect(advanced).toEqual([3]);
    await session.confirm(4);
    expect(advanced).toEqual([3, 4]);
  });

  test('are backlog if they are older than the connection, and never written if they are newer', async () => {
    inbox.own = new Set([2]);
    const session = open('push', { head: 3 });
    push(session, { own: true });
    push(session);
    await answerAll();
    expect(written).toEqual([1, 2, 3, 5]);
  });

  test('are never pushed again', async () => {
    const session = open('push');
    push(session);
    push(session, { own: true });
    await remind(session, receiveWithinMs);
    expect(written).toEqual([1, 1]);
  });
});

describe('lazy', () => {
  test('sends only live messages, and reads a lost one from the inbox', async () => {
    const session = open('lazy', { head: 5 });
    expect(inbox.asked).toEqual([]);
    push(session);
    push(session, { lost: true });
    push(session);
    await answerAll();
    expect(written).toEqual([6, 7, 8]);
  });
});
