import { beforeEach, describe, expect, test } from 'vitest';
import { receiveWithinMs } from '../../../../shared/model/limits.ts';
import {
  answerAll,
  attempt,
  clock,
  closed,
  inbox,
  jobs,
  numbers,
  open,
  push,
  remind,
  startOver,
  textOf,
  undelivered,
  written,
} from './session-and-inbox.ts';

beforeEach(startOver);

describe('redelivery', () => {
  test('pushes only unreceived items again, and not before the time', async () => {
    const session = open('push');
    for (let i = 0; i < 3; i++) push(session);
    await remind(session, receiveWithinMs - 1);
    expect(written).toEqual([1, 2, 3]);
    await session.confirm(2);
    await remind(session, receiveWithinMs);
    expect(written).toEqual([1, 2, 3, 3]);
  });

  test('closes the connection with 4410 at the fifth attempt of a job', async () => {
    const session = open('push');
    push(session);
    await remind(session, 5000);
    for (let i = 0; i < 3; i++) {
      clock.now += 5000;
      await attempt(session);
    }
    expect([written, closed, jobs]).toEqual([[1, 1, 1, 1, 1], [], ['ask 1']]);
    clock.now += 5000;
    await attempt(session);
    expect([written, closed]).toEqual([[1, 1, 1, 1, 1], [4410]]);
    expect(undelivered).toEqual([[0, 5]]);
  });

  test('pushes once when an attempt is made twice', async () => {
    const session = open('push');
    push(session);
    await remind(session, 5000);
    await attempt(session);
    clock.now += 4999;
    await attempt(session);
    expect([written, closed]).toEqual([[1, 1], []]);
  });

  test('pushes nothing when nothing is overdue', async () => {
    const session = open('push');
    push(session);
    for (let i = 0; i < 10; i++) await attempt(session);
    expect([written, closed]).toEqual([[1], []]);
  });

  test('asks three times for a job that never runs, then closes the connection', async () => {
    const session = open('push');
    push(session);
    for (let i = 0; i < 600 && closed.length === 0; i++) session.remind((clock.now += 500));
    expect([jobs, closed]).toEqual([['ask 1', 'ask 1', 'ask 1'], [4410]]);
    expect(clock.now - 1_000_000).toBe(5000 + 3 * 60_000);
  });

  test('learns from the job what the device has received by HTTP', async () => {
    const session = open('push', { head: 450 });
    await answerAll();
    session.remind((clock.now += 5000));
    await attempt(session, 200);
    expect(written).toEqual(numbers(1, 400));
    expect([session.received, jobs]).toEqual([200, ['ask 200', 'drop']]);
  });

  test('starts again after a receipt', async () => {
    const session = open('push');
    push(session);
    await remind(session, 5000);
    await session.confirm(1);
    push(session);
    await remind(session, 5000);
    expect(written).toEqual([1, 1, 2, 2]);
    await session.confirm(2);
    await remind(session, 600_000);
    expect([written, closed, jobs]).toEqual([[1, 1, 2, 2], [], ['ask 1', 'drop', 'ask 2', 'drop']]);
  });

  test('does not write twice what is pushed while it reads the inbox', async () => {
    const session = open('push');
    push(session);
    session.remind((clock.now += receiveWithinMs));
    inbox.head = 2;
    const reminding = session.pushAgain(0);
    session.deliver(2, textOf(2), false);
    session.flush();
    await Promise.all([reminding, answerAll()]);
    expect(written).toEqual([1, 2, 1]);
  });

  test('does not write again what is received while it reads the inbox', async () => {
    const session = open('push');
    push(session);
    push(session);
    session.remind((clock.now += receiveWithinMs));
    const reminding = session.pushAgain(0);
    await session.confirm(1);
    await Promise.all([reminding, answerAll()]);
    expect(written).toEqual([1, 2, 2]);
  });

  test('sends an unreceived gap again', async () => {
    inbox.missing = new Set([1]);
    inbox.gaps = [{ position: 1, conversation: 'c', fromSeq: 1, toSeq: 9 }];
    const session = open('push', { head: 2 });
    await answerAll();
    await remind(session, 5000);
    expect(written).toEqual(['gap 1', 2, 'gap 1', 2]);
  });

  test('never pushes to a device that pulls', async () => {
    const session = open('pull', { head: 5 });
    push(session);
    session.heard(6);
    await remind(session, 600_000);
    expect([written, closed, inbox.asked, jobs]).toEqual([[], [], [], []]);
  });
});
