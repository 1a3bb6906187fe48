import { beforeEach, describe, expect, test } from 'vitest';
import type { Session } from '../../../../gateway/session/session.ts';
import { SharedFrame } from '../../../../gateway/session/shared-frame.ts';
import { receiveWithinMs } from '../../../../shared/model/limits.ts';
import { answerAll, clock, inbox, jobs, open, push, startOver, written } from './session-and-inbox.ts';

beforeEach(startOver);

describe('messages of large groups', () => {
  const large = (session: Session, ...messages: number[]): void => {
    for (const message of messages)
      session.deliverLarge(new SharedFrame({ conversation: 'g', seq: message, text: `${message}` }));
    session.flush();
  };

  test('go out at once between inbox items, and need no receipt', async () => {
    const session = open('push');
    large(session, 1, 2);
    push(session);
    large(session, 3);
    expect(written).toEqual(['large 1', 'large 2', 1, 'large 3']);
    await session.confirm(1);
    session.remind((clock.now += receiveWithinMs));
    expect(jobs).toEqual([]);
  });

  test('wait until everything in the inbox is sent', async () => {
    const session = open('push', { head: 2 });
    large(session, 1);
    expect(written).toEqual([]);
    await answerAll();
    expect(written).toEqual([1, 2, 'large 1']);
    push(session, { lost: true });
    session.heard(3);
    large(session, 2);
    await answerAll();
    expect(written).toEqual([1, 2, 'large 1', 3, 'large 2']);
  });

  test('are not sent when the inbox has given or announced them or a later one', async () => {
    inbox.gaps = [{ position: 1, conversation: 'g', fromSeq: 1, toSeq: 6 }];
    inbox.missing = new Set([1]);
    inbox.texts.set(2, '{"id":"0-1-1","conversation":"g","seq":7,"at":1,"sender":"alice"}');
    const session = open('push', { head: 2 });
    session.followLarge();
    large(session, 5, 6, 7, 8);
    await answerAll();
    expect(written).toEqual(['gap 1', 2, 'large 8']);
    large(session, 4, 9);
    expect(written).toEqual(['gap 1', 2, 'large 8', 'large 9']);
  });

  test('are dropped when more than 100 wait, and announced once the inbox is sent', async () => {
    const session = open('push', { head: 1 });
    large(session, ...Array.from({ length: 101 }, (_, i) => i));
    await answerAll();
    expect([written, jobs]).toEqual([[1], ['missed']]);
    large(session, 500);
    expect(written).toEqual([1, 'large 500']);
  });

  test('never come to a device that pulls', () => {
    const session = open('pull');
    large(session, 1);
    expect(written).toEqual([]);
  });

  test('announced before `welcome` are backlog in push mode, and skipped in lazy mode', async () => {
    const lazy = open('lazy', { head: 1 }, true);
    lazy.caughtUp(1, 2);
    inbox.head = 2;
    lazy.release();
    expect(inbox.asked).toEqual([]);
    const pushing = open('push', { head: 1, from: 1 }, true);
    pushing.caughtUp(1, 2);
    inbox.head = 2;
    pushing.release();
    await answerAll();
    expect(written).toEqual([2]);
  });
});
