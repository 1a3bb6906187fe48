import { expect, test } from 'vitest';
import { createRepeats } from '../../../../sdk/src/view/repeats.ts';
import type { Message } from '../../../../sdk/src/wire.ts';
import { message } from '../intake/played-intake.ts';

/** Messages that were accepted again after a loss. */

/** Reads after `last` what is stored from there on. Resolves with what is not repeated, and where it looked below. */
async function read(last: number, stored: Message[]): Promise<{ seqs: number[]; looked: number[] }> {
  const looked: number[] = [];
  const isRepeated = createRepeats(last, async (toSeq, limit) => {
    looked.push(toSeq);
    return stored.filter(({ seq }) => seq <= toSeq).slice(-limit);
  });
  const seqs: number[] = [];
  for (const one of stored.filter(({ seq }) => seq > last)) if (!(await isRepeated(one))) seqs.push(one.seq);
  return { seqs, looked };
}

const first = [1, 2, 3].map((seq) => message(seq));
const again = [message(101, { clientId: 'k2' }), message(102, { clientId: 'k3' }), message(103)];

test('a message that has another seq after a loss is known, also by who has read it in an earlier run', async () => {
  expect(await read(0, [...first, ...again])).toEqual({ seqs: [1, 2, 3, 103], looked: [3] });
  expect(await read(3, [...first, ...again])).toEqual({ seqs: [103], looked: [3] });
});

test('over two losses, it is looked up once', async () => {
  const twice = [message(201, { clientId: 'k103' }), message(202)];
  expect(await read(0, [...first, ...again, ...twice])).toEqual({ seqs: [1, 2, 3, 103, 202], looked: [3] });
});

test('without a range that never comes, and before the first message, nothing is looked up', async () => {
  expect(await read(0, first)).toEqual({ seqs: [1, 2, 3], looked: [] });
  expect(await read(0, again)).toEqual({ seqs: [101, 102, 103], looked: [] });
});

test('the same clientId of another sender is another message', async () => {
  const other = message(101, { clientId: 'k2', sender: 'carol' });
  expect(await read(0, [...first, other])).toEqual({ seqs: [1, 2, 3, 101], looked: [3] });
});
