import { expect } from 'vitest';
import type { Mode } from '../../../../gateway/session/session-parts.ts';
import { Session } from '../../../../gateway/session/session.ts';
import type { Page } from '../../../../shared/model/results.ts';

/** One session, an inbox whose pages are answered when the test says so, and everything that the session does. */

export const textOf = (position: number): string =>
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

export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export const inbox = new FakeInbox();
/** Positions of items that were written, and `gap <position>`. */
export const written: (string | number)[] = [];
export const advanced: number[] = [];
export const closed: number[] = [];
/** What redelivery jobs were asked for (`ask <sent>`), and told that they are not needed. */
export const jobs: string[] = [];
export const undelivered: [received: number, attempts: number][] = [];
export const failures: unknown[] = [];
export const clock = { now: 0, waitingBytes: 0 };

/** Before each test of a file. */
export function startOver(): void {
  Object.assign(inbox, new FakeInbox(), { page: inbox.page });
  for (const list of [written, advanced, closed, jobs, undelivered, failures]) list.length = 0;
  Object.assign(clock, { now: 1_000_000, waitingBytes: 0 });
}

/** A session that has been welcomed. */
export function open(mode: Mode, { head = 0, from = 0 }: { head?: number; from?: number } = {}, held = false): Session {
  inbox.head = head;
  const session = new Session(
    'bob',
    'phone',
    's1',
    mode,
    {
      epoch: 'e',
      head,
      position: from,
      from,
      reset: false,
      replaced: null,
      larges: [],
      settingsVersion: 0,
      isFirst: true,
      leaseLapsed: false,
    },
    {
      get waitingBytes() {
        return clock.waitingBytes;
      },
      write(text) {
        const frame = JSON.parse(text) as {
          type: string;
          position: number;
          items: { position?: number; message: unknown }[];
        };
        if (frame.type === 'hint') written.push(`hint ${frame.position}`);
        else if (frame.type === 'gap') written.push(`gap ${frame.position}`);
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
      takesPart: () => false,
      receivedOf: () => undefined,
      receivedUnseen: () => undefined,
      hinted: () => undefined,
      pushedAgain: () => undefined,
      fellBack: () => undefined,
      requestRedelivery: (given) => void jobs.push(`ask ${given.sent}`),
      cancelRedelivery: () => void jobs.push('drop'),
      missedLarge: () => void jobs.push('missed'),
      undelivered: (given, attempts) => void undelivered.push([given.received, attempts]),
      now: () => clock.now,
    },
  );
  session.hold();
  if (!held) session.release();
  return session;
}

/** Appends to the inbox, and pushes it unless it is lost on the way. */
export function push(session: Session, { own = false, lost = false } = {}): void {
  inbox.head += 1;
  if (own) inbox.own.add(inbox.head);
  if (lost) return;
  session.deliver(inbox.head, textOf(inbox.head), own);
  session.flush();
}

/** One attempt of a redelivery job, which knows the device's position in Redis. */
export async function attempt(session: Session, stored = 0): Promise<void> {
  await Promise.all([session.pushAgain(stored), answerAll()]);
}

/** The sweep comes by, and a redelivery job's attempt after it. */
export async function remind(session: Session, later: number): Promise<void> {
  clock.now += later;
  session.remind(clock.now);
  await attempt(session);
}

export const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
export async function answerAll(): Promise<void> {
  while (inbox.asked.length > 0) await inbox.asked.shift()!.answer();
}
