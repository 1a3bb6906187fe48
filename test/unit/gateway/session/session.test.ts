import { beforeEach, describe, expect, test } from 'vitest';
import type { Mode } from '../../../../gateway/session/session-parts.ts';
import { Session } from '../../../../gateway/session/session.ts';
import { SharedFrame } from '../../../../gateway/session/shared-frame.ts';
import { receiveWithinMs } from '../../../../shared/model/limits.ts';
import type { Page } from '../../../../shared/model/results.ts';

/** One session, an inbox whose pages are answered when the test says so, and everything that the session does. */

const textOf = (position: number): string =>
  `{"id":"0-1-${position}","conversation":"c","seq":${position},"at":1,"sender":"alice"}`;

class FakeInbox {
  head = 0;
  /** Positions that hold nothing: cut, or empty after a loss. */
  missing = new Set<number>();
  gaps: Page['gaps'] = [];
  own = new Set<number>();
  /** Texts of some positions, where they matter. */
  texts = new Map<number, string>();
  asked: { after: number; answer: () => Promise<void>; fail: (thrown: Error) => Promise<void> }[] = [];

  /** What the page script answers: decided now, not when it was asked. */
  read(after: number, most: number): Page {
    const items: Page['items'] = [];
    let position = after;
    while (position < this.head && items.length < most) {
      position += 1;
      if (!this.missing.has(position)) {
        items.push({
          position,
          text: this.texts.get(position) ?? textOf(position),
          device: this.own.has(position) ? 'phone' : 'other',
        });
      }
    }
    const more = position < this.head;
    const next = more ? position : this.head;
    return {
      larges: [],
      epoch: 'e',
      head: this.head,
      next,
      more,
      items,
      gaps: this.gaps.filter((gap) => gap.position > after && gap.position <= next),
    };
  }

  page = (_user: string, after: number, most: number): Promise<Page> =>
    new Promise((resolve, reject) => {
      const page = this.read(after, most);
      this.asked.push({
        after,
        answer: async () => {
          resolve(page);
          await settled();
        },
        fail: async (thrown) => {
          reject(thrown);
          await settled();
        },
      });
    });
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let inbox: FakeInbox;
let written: (string | number)[];
let advanced: number[];
let closed: number[];
/** What redelivery jobs were asked for (`ask <sent>`), and told that they are not needed. */
let jobs: string[];
let undelivered: [received: number, attempts: number][];
let failures: unknown[];
let now: number;

beforeEach(() => {
  undelivered = [];
  jobs = [];
  [inbox, written, advanced, closed, failures, now] = [new FakeInbox(), [], [], [], [], 1_000_000];
});

/** A session that has been welcomed. Written: positions of items, and `gap <position>`. */
function open(mode: Mode, { head = 0, from = 0 }: { head?: number; from?: number } = {}, held = false): Session {
  inbox.head = head;
  const session = new Session(
    'bob',
    'phone',
    's1',
    mode,
    { epoch: 'e', head, position: from, from, reset: false, replaced: null, larges: [] },
    {
      write(text) {
        const frame = JSON.parse(text) as {
          type: string;
          position: number;
          items: { position?: number; message: unknown }[];
        };
        if (frame.type === 'gap') written.push(`gap ${frame.position}`);
        else written.push(...frame.items.map(({ position, message }) => position ?? `large ${message as number}`));
      },
      writeFrame(frame) {
        expect([frame[0], frame[1]]).toEqual([0x81, frame.length - 2]);
        this.write(frame.toString('utf8', 2));
      },
      close: (code) => void closed.push(code),
    },
    {
      inboxes: { page: inbox.page, head: async () => inbox.head },
      advance: (_session, position) => void advanced.push(position),
      failed: (_session, thrown) => void failures.push(thrown),
      pushed: () => undefined,
      pushedAgain: () => undefined,
      fellBack: () => undefined,
      requestRedelivery: (given) => void jobs.push(`ask ${given.sent}`),
      cancelRedelivery: () => void jobs.push('drop'),
      missedLarge: () => void jobs.push('missed'),
      undelivered: (given, attempts) => void undelivered.push([given.received, attempts]),
      now: () => now,
    },
  );
  session.hold();
  if (!held) session.release();
  return session;
}

/** Appends to the inbox, and pushes it unless it is lost on the way. */
function push(session: Session, { own = false, lost = false } = {}): void {
  inbox.head += 1;
  if (own) inbox.own.add(inbox.head);
  if (lost) return;
  session.deliver(inbox.head, textOf(inbox.head), own);
  session.flush();
}

/** One attempt of a redelivery job, which knows the device's position in Redis. */
async function attempt(session: Session, stored = 0): Promise<void> {
  await Promise.all([session.pushAgain(stored), answerAll()]);
}

/** The sweep comes by, and a redelivery job's attempt after it. */
async function remind(session: Session, later: number): Promise<void> {
  now += later;
  session.remind(now);
  await attempt(session);
}

const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
async function answerAll(): Promise<void> {
  while (inbox.asked.length > 0) await inbox.asked.shift()!.answer();
}

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
      now += 5000;
      await attempt(session);
    }
    expect([written, closed, jobs]).toEqual([[1, 1, 1, 1, 1], [], ['ask 1']]);
    now += 5000;
    await attempt(session);
    expect([written, closed]).toEqual([[1, 1, 1, 1, 1], [4410]]);
    expect(undelivered).toEqual([[0, 5]]);
  });

  test('pushes once when an attempt is made twice', async () => {
    const session = open('push');
    push(session);
    await remind(session, 5000);
    await attempt(session);
    now += 4999;
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
    for (let i = 0; i < 600 && closed.length === 0; i++) session.remind((now += 500));
    expect([jobs, closed]).toEqual([['ask 1', 'ask 1', 'ask 1'], [4410]]);
    expect(now - 1_000_000).toBe(5000 + 3 * 60_000);
  });

  test('learns from the job what the device has received by HTTP', async () => {
    const session = open('push', { head: 450 });
    await answerAll();
    session.remind((now += 5000));
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
    session.remind((now += receiveWithinMs));
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
    session.remind((now += receiveWithinMs));
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
    session.remind((now += receiveWithinMs));
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
