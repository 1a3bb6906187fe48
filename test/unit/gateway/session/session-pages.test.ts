import { beforeEach, describe, expect, test } from 'vitest';
import { receiveWithinMs } from '../../../../shared/model/limits.ts';
import {
  answerAll,
  closed,
  failures,
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

describe('a page against pushes', () => {
  test('writes a push from the inbox while a page is read', async () => {
    const session = open('push', { head: 3 });
    push(session);
    expect(written).toEqual([]);
    await answerAll();
    expect(written).toEqual([1, 2, 3, 4]);
    push(session);
    expect(written).toEqual([1, 2, 3, 4, 5]);
  });

  test('loses nothing if a page is read before an append and answered after its push', async () => {
    const session = open('push', { head: 3 });
    const [page] = inbox.asked.splice(0);
    push(session);
    push(session, { lost: true });
    push(session);
    await page!.answer();
    await answerAll();
    expect(written).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('does not write a push again that a page held before', async () => {
    const session = open('push', { head: 5 });
    await answerAll();
    for (const position of [4, 5]) session.deliver(position, textOf(position), false);
    session.flush();
    expect(written).toEqual([1, 2, 3, 4, 5]);
  });

  test('writes and reads nothing before `welcome`', async () => {
    const session = open('push', { head: 2 }, true);
    push(session);
    session.heard(3);
    expect([written, inbox.asked]).toEqual([[], []]);
    session.release();
    await answerAll();
    expect(written).toEqual([1, 2, 3]);
  });

  test('does not write or await what was received while a page was read', async () => {
    const session = open('push', { head: 500 });
    await session.confirm(300);
    await answerAll();
    expect(written).toEqual(numbers(301, 200));
    await session.confirm(500);
    push(session);
    expect(written.at(-1)).toBe(501);
  });

  test('closes the connection with 1012 when a page cannot be read, and reads no more', async () => {
    const session = open('push', { head: 3 });
    await inbox.asked.shift()!.fail(new Error('away'));
    expect([failures.length, closed]).toEqual([1, [1012]]);
    expect(inbox.asked).toEqual([]);
    session.end();
    session.heard(9);
    expect(inbox.asked).toEqual([]);
  });

  test('writes nothing after the end', async () => {
    const session = open('push', { head: 3 });
    session.end();
    await answerAll();
    expect(written).toEqual([]);
  });
});

describe('backlog', () => {
  test('sends the next page when the last item of the page before was received', async () => {
    const session = open('push', { head: 450 });
    await answerAll();
    expect(written).toEqual(numbers(1, 200));
    await session.confirm(199);
    push(session);
    session.heard(451);
    expect(inbox.asked).toEqual([]);
    await session.confirm(200);
    await answerAll();
    expect(written).toEqual(numbers(1, 400));
    await session.confirm(400);
    await answerAll();
    expect(written).toEqual(numbers(1, 451));
    push(session);
    expect(written.at(-1)).toBe(452);
  });

  test('begins after the position, with each gap before the item at its position', async () => {
    inbox.missing = new Set([3, 4, 7]);
    inbox.gaps = [
      { position: 5, conversation: 'c', fromSeq: 1, toSeq: 2 },
      { position: 8, conversation: 'c', fromSeq: 3, toSeq: 3 },
    ];
    open('push', { head: 8, from: 2 });
    await answerAll();
    expect(written).toEqual(['gap 5', 5, 6, 'gap 8', 8]);
  });

  test('needs no receipt for empty positions: later pushes are live', async () => {
    inbox.missing = new Set(numbers(1, 10));
    const session = open('push', { head: 10 });
    await answerAll();
    push(session);
    expect(written).toEqual([11]);
    await remind(session, receiveWithinMs);
    expect(written).toEqual([11, 11]);
  });
});

describe('pages as small as the device wants them', () => {
  test('hold at most so many items, from the next page on', async () => {
    const session = open('push', { head: 300 });
    await answerAll();
    expect(written).toEqual(numbers(1, 200));
    session.pace(20);
    await session.confirm(200);
    await answerAll();
    expect(written).toEqual(numbers(1, 220));
    session.pace(1);
    await session.confirm(220);
    await answerAll();
    expect(written).toEqual(numbers(1, 221));
    session.pace(200);
    await session.confirm(221);
    await answerAll();
    expect(written).toEqual(numbers(1, 300));
    push(session);
    expect(written.at(-1)).toBe(301);
  });

  test('a larger page that was being read is read again', async () => {
    const session = open('push', { head: 300 });
    const [page] = inbox.asked.splice(0);
    session.pace(20);
    await page!.answer();
    expect(written).toEqual([]);
    await answerAll();
    expect(written).toEqual(numbers(1, 20));
  });

  test('gaps come as before', async () => {
    inbox.missing = new Set(numbers(1, 40));
    inbox.gaps = [10, 20, 30, 41].map((position) => ({
      position,
      conversation: 'c',
      fromSeq: position,
      toSeq: position,
    }));
    const session = open('push', { head: 45 });
    session.pace(2);
    await answerAll();
    expect(written).toEqual(['gap 10', 'gap 20', 'gap 30', 'gap 41', 41, 42]);
  });

  test('a redelivery does not bring more of them at once', async () => {
    const session = open('push');
    session.pace(3);
    for (let i = 0; i < 10; i++) push(session);
    await remind(session, receiveWithinMs);
    expect(written).toEqual([...numbers(1, 10), ...numbers(1, 3)]);
  });
});

describe('with 1,000 items unreceived', () => {
  test('waits for the device, then goes on', async () => {
    const session = open('push');
    for (let i = 0; i < 1500; i++) push(session);
    expect(written).toEqual(numbers(1, 1000));
    await session.confirm(600);
    expect(inbox.asked).toEqual([]);
    await session.confirm(1000);
    await answerAll();
    await session.confirm(1200);
    await answerAll();
    await session.confirm(1400);
    await answerAll();
    expect(written).toEqual(numbers(1, 1500));
  });
});
