import { expect, test } from 'vitest';
import type { Frame } from '../../../../sdk/src/wire.ts';
import { greeting, item, playIntake, playWelcomed } from './played-intake.ts';

/** The end of a backlog that pushes do not show. */

const sync = (pages: object[]) => {
  const asked: Frame[] = [];
  const insist = async (frame: Frame): Promise<Frame> => {
    if (frame.type === 'ping') return { type: 'pong' };
    asked.push(frame);
    return { type: 'page', items: [], gaps: [], more: false, ...pages.shift() };
  };
  return { asked, insist };
};

test('reads to the end when nothing comes and the head is not reached', async () => {
  const { asked, insist } = sync([
    { items: [item(2, 2)], next: 2, more: true },
    { gaps: [{ position: 3, conversation: 'c', fromSeq: 3, toSeq: 900 }], next: 7 },
  ]);
  const { deliver, log, clock, settle, intake } = await playWelcomed({ insist }, { head: 9 });
  await deliver(item(1, 1));
  await clock.advance(999);
  expect(asked).toEqual([]);
  await clock.advance(1);
  await settle();
  expect(asked.map(({ type, after }) => [type, after])).toEqual([
    ['sync', 1],
    ['sync', 2],
  ]);
  expect(log).toEqual(['1', '2', 'gap 3-900', 'synced']);
  expect(intake.hello().position).toBe(7);
});

test('asks nothing when the pushes reach the head, or the connection ends', async () => {
  const { asked, insist } = sync([]);
  const reached = await playWelcomed({ insist }, { head: 1 });
  await reached.deliver(item(1, 1));
  await reached.clock.advance(5000);
  const ended = await playWelcomed({ insist }, { head: 1 });
  ended.intake.pause();
  await ended.clock.advance(5000);
  expect(asked).toEqual([]);
});

test('a page that is not the last and leads nowhere is a fault, and ends the reading', async () => {
  const { asked, insist } = sync([{ next: 0, more: true }]);
  const { log, clock, settle } = await playWelcomed({ insist }, { head: 1 });
  await clock.advance(5000);
  await settle();
  expect(asked).toHaveLength(1);
  expect(log).toEqual(['fault sync: a page that is not the last leads nowhere']);
});

test('a page that is on its way for long is waited for', async () => {
  const { asked, insist } = sync([]);
  const pongs: (() => void)[] = [];
  const { deliver, clock, settle, intake, log } = await playWelcomed(
    {
      insist: async (frame) => {
        if (frame.type === 'ping') await new Promise<void>((resolve) => pongs.push(resolve));
        return insist(frame);
      },
    },
    { head: 2 },
  );
  await clock.advance(10_000);
  expect(pongs).toHaveLength(1);
  await deliver(item(1, 1));
  pongs[0]!();
  await settle();
  expect(asked).toEqual([]);
  await deliver(item(2, 2));
  expect(log).toContain('synced');
  expect(intake.hello().position).toBe(2);
});

test('what the server has beyond what came is read when nothing comes for two seconds', async () => {
  const { asked, insist } = sync([{ items: [item(3, 3)], next: 3 }]);
  const { deliver, log, clock, settle, intake } = await playWelcomed({ insist }, { head: 1 });
  await deliver(item(1, 1));
  intake.pong({ head: 1, epoch: 'e1' });
  await clock.advance(5000);
  expect(asked).toEqual([]);
  intake.pong({ head: 3, epoch: 'e1' });
  await clock.advance(1500);
  await deliver(item(2, 2));
  await clock.advance(1999);
  expect(asked).toEqual([]);
  await clock.advance(1);
  await settle();
  expect(asked).toMatchObject([{ type: 'sync', after: 2, limit: 40 }]);
  expect(log).toEqual(['synced', '1', '2', '3']);
});

test('nothing is read if it comes by itself', async () => {
  const { asked, insist } = sync([]);
  const { deliver, clock, intake } = await playWelcomed({ insist });
  intake.pong({ head: 2, epoch: 'e1' });
  await clock.advance(1000);
  await deliver(item(1, 1), item(2, 2));
  await clock.advance(5000);
  expect(asked).toEqual([]);
});

test('a pong of another epoch asks for another connection', async () => {
  const { log, intake } = await playWelcomed();
  intake.pong({ head: 2, epoch: 'e2' });
  expect(log).toEqual(['renew']);
});

test('a backlog that is not pushed is read at once; before that, live messages do not move the position', async () => {
  const { asked, insist } = sync([
    { items: [item(1, 1)], next: 1, more: true },
    { items: [item(2, 2), item(3, 3)], next: 3 },
  ]);
  let answer = (): void => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const { deliver, settle, intake, told, log } = await playIntake({
    insist: (frame) => answered.then(() => insist(frame)),
    readsBacklog: true,
  });
  intake.welcomed(greeting({ head: 2 }));
  await deliver(item(3, 3));
  expect(intake.hello().position).toBe(0);
  // The server waits for it all the same.
  expect(told).toEqual([{ type: 'received', position: 3 }]);
  answer();
  await settle();
  expect(asked.map(({ after }) => after)).toEqual([0, 1]);
  expect(intake.hello().position).toBe(3);
  expect(log).toContain('synced');
});
