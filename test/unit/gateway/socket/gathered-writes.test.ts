import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { textFrames } from '../../../../gateway/session/text-frames.ts';
import { flushGathered, gatheredLength, writeGathered } from '../../../../gateway/socket/gathered-writes.ts';

function playedSocket(state: { writable?: boolean; throws?: boolean } = {}) {
  const writes: Buffer[] = [];
  const faults: unknown[] = [];
  const raw = {
    writable: state.writable ?? true,
    write(bytes: Buffer) {
      if (state.throws === true) throw new Error('broken');
      writes.push(bytes);
    },
  } as unknown as Socket;
  const holder = { faulted: (thrown: unknown) => void faults.push(thrown) };
  return { raw, writes, faults, write: (text: string) => writeGathered(holder, raw, text) };
}

const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('all frames of a turn are one write for each socket, in their order', async () => {
  const [one, other] = [playedSocket(), playedSocket()];
  one.write('a');
  other.write('x');
  one.write('ü');
  expect([gatheredLength(one.raw), gatheredLength(other.raw)]).toEqual([2, 1]);
  expect(one.writes).toEqual([]);
  await endOfTurn();
  expect(one.writes).toEqual([textFrames(['a', 'ü'])]);
  expect(other.writes).toEqual([textFrames(['x'])]);
  one.write('b');
  await endOfTurn();
  expect(one.writes).toEqual([textFrames(['a', 'ü']), textFrames(['b'])]);
  expect(gatheredLength(one.raw)).toBe(0);
});

test('what is flushed is written at once, and not again', async () => {
  const { raw, writes, write } = playedSocket();
  write('a');
  flushGathered(raw);
  expect(writes).toEqual([textFrames(['a'])]);
  flushGathered(raw);
  write('b');
  await endOfTurn();
  expect(writes).toEqual([textFrames(['a']), textFrames(['b'])]);
});

test('a socket that has ended gets nothing, and one that throws harms no other', async () => {
  const ended = playedSocket({ writable: false });
  const broken = playedSocket({ throws: true });
  const sound = playedSocket();
  for (const { write } of [ended, broken, sound]) write('a');
  await endOfTurn();
  expect([ended.writes, ended.faults]).toEqual([[], []]);
  expect(broken.faults).toHaveLength(1);
  expect(sound.writes).toEqual([textFrames(['a'])]);
});
