import { expect, test } from 'vitest';
import type { Frame } from '../../../../sdk/src/wire.ts';
import { item, playWelcomed } from './played-intake.ts';

/** The end of a backlog that pushes do not show. */

const sync = (pages: object[]) => {
  const asked: Frame[] = [];
  const insist = async (frame: Frame): Promise<Frame> => {
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
