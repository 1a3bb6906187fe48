import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Session } from '../../../../gateway/session/session.ts';
import { alwaysInTime } from '../../../support/properties.ts';
import { advanced, answerAll, closed, inbox, open, push, settled, startOver, written } from './session-and-inbox.ts';

/** Up to where the device has everything, also by HTTP. The inbox itself is played (session-and-inbox.ts). */
type Model = { confirmed: number };
type Command = fc.AsyncCommand<Model, Session>;

/** Positions that were written, without gaps. */
const positions = (): number[] => written.filter((one) => typeof one === 'number');

const isRising = (all: readonly number[]): boolean => all.every((one, i) => i === 0 || one > all[i - 1]!);

function mustHold({ known, sent, received }: Session): void {
  const all = positions();
  expect({
    inOrder: received <= sent && sent <= known && known <= inbox.head,
    once: isRising(all),
    wanted: !all.some((position) => inbox.own.has(position) || inbox.missing.has(position)),
    forward: isRising(advanced),
    closed,
  }).toEqual({ inOrder: true, once: true, wanted: true, forward: true, closed: [] });
}

const command = (name: string, run: (model: Model, session: Session) => Promise<void> | void): Command => ({
  check: () => true,
  async run(model, session) {
    const [before, confirmed] = [written.length, model.confirmed];
    await run(model, session);
    mustHold(session);
    // What the device had before is not sent to it.
    const low = written.slice(before).filter((one) => typeof one === 'number' && one <= confirmed);
    expect(low).toEqual([]);
  },
  toString: () => name,
});

async function confirm(model: Model, session: Session, position: number): Promise<void> {
  if (position <= model.confirmed) return;
  model.confirmed = position;
  await session.confirm(position);
  await settled();
}

const someCommands = [
  fc
    .record({ own: fc.boolean(), lost: fc.boolean() })
    .map(({ own, lost }) =>
      command(`append${own ? ', own' : ''}${lost ? ', the push is lost' : ''}`, (_, session) =>
        push(session, { own, lost }),
      ),
    ),
  fc.constant(
    command('a position stays empty', () => {
      inbox.head += 1;
      inbox.missing.add(inbox.head);
    }),
  ),
  fc.constant(command('the head is compared', (_, session) => session.heard(inbox.head))),
  fc.nat(3).map((back) =>
    command(`a push comes again, ${back} back`, (_, session) => {
      const position = inbox.head - back;
      if (position < 1 || inbox.missing.has(position)) return;
      session.deliver(position, inbox.read(position - 1, 1).items[0]!.text, inbox.own.has(position));
      session.flush();
    }),
  ),
  fc.integer({ min: 1, max: 5 }).map((most) => command(`pages of ${most}`, (_, session) => session.pace(most))),
  fc.constant(command('a page arrives', () => inbox.asked.shift()?.answer())),
  fc.double({ min: 0, max: 1, noNaN: true }).map((share) =>
    command(`the device confirms ${share} of what it got`, async (model, session) => {
      const got = positions().filter((position) => position > model.confirmed);
      const last = got[Math.floor(share * got.length) - 1];
      if (last !== undefined) await confirm(model, session, last);
    }),
  ),
  fc
    .nat(3)
    .map((back) =>
      command(`the device reads the inbox by HTTP up to ${back} before its end`, (model, session) =>
        confirm(model, session, inbox.head - back),
      ),
    ),
];

test('a session sends every position once and in order, whatever comes in between', async () => {
  await alwaysInTime(
    fc.asyncProperty(fc.nat(4), fc.commands(someCommands, { maxCommands: 30 }), async (head, commands) => {
      startOver();
      const session = open('push', { head });
      const model = { confirmed: 0 };
      await fc.asyncModelRun(() => ({ model, real: session }), commands);
      // In the end the head is compared once more, and every page is answered and received.
      session.heard(inbox.head);
      await answerAll();
      while (session.received < session.sent && session.sent < inbox.head) {
        await session.confirm(session.sent);
        await answerAll();
      }
      mustHold(session);
      const owed = Array.from({ length: inbox.head }, (_, i) => i + 1).filter(
        (position) => position > model.confirmed && !inbox.missing.has(position) && !inbox.own.has(position),
      );
      expect(positions().filter((position) => position > model.confirmed)).toEqual(owed);
      expect(session.sent).toBe(inbox.head);
      await session.confirm(inbox.head);
      expect(session.received).toBe(inbox.head);
    }),
  );
});
