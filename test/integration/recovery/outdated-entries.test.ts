import { randomBytes } from 'node:crypto';
import { afterAll, beforeEach, expect, inject, test } from 'vitest';
import { type Entry, readEntry } from '../../../shared/model/entry.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { createOutdated, type Outdated } from '../../../workers/fanout/outdated.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** Which of the entries that came back after a loss were amended further on. */

const redis = connectRedis(inject('redisUrl'), { protocol: 2 });
afterAll(() => redis.disconnect());

let keys: Keys;
let outdated: Outdated;
let entries: Entry[];
beforeEach(() => {
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  outdated = createOutdated(redis, keys);
  entries = [];
});

async function add(routing: string): Promise<void> {
  const id = `${entries.length + 1}-0`;
  const fields = ['r', routing, 't', '{}', 'b', 'null'];
  await redis.xadd(keys.messages(0), id, ...fields);
  entries.push(readEntry(id, fields));
}
const next = (): number => entries.length + 1;
const message = (conversation: string) => add(`1 message ${conversation} ${next()} 0 1 alice * normal alice,bob -`);
const amend = (conversation: string, target: number) =>
  add(`1 amended ${conversation} ${next()} 0 1 alice - normal alice,bob - ${target} 1 r`);

/** Everything that is in the stream came back. */
const lose = () => redis.hset(keys.partitionSlot(0), 'keptTo', `${entries.length}-0`);

/** The seqs of a batch's outdated entries. */
async function seqsFrom(first: number): Promise<number[]> {
  const batch = entries.slice(first - 1);
  const isOutdated = await outdated.of(0, batch);
  return batch.flatMap((entry) => (isOutdated?.(entry) === true ? [entry.seq] : []));
}

test('a message and its older amendment, however far behind them the newest one stands', async () => {
  await message('c');
  await amend('c', 1);
  for (let i = 0; i < 2500; i++) await message('d');
  await amend('c', 1);
  await lose();
  expect(await seqsFrom(1)).toEqual([1, 2]);
});

test('nothing without a loss', async () => {
  await message('c');
  await amend('c', 1);
  expect(await seqsFrom(1)).toEqual([]);
});

test('nothing that came since, and not the same seq of another conversation', async () => {
  await message('c');
  await message('d');
  await amend('c', 2);
  await lose();
  await message('c');
  await amend('c', 4);
  expect(await seqsFrom(1)).toEqual([]);
});

test('also what is handled after something that stands behind it', async () => {
  await message('c');
  await amend('c', 1);
  await message('c');
  await amend('c', 3);
  await lose();
  expect(await seqsFrom(3)).toEqual([3]);
  expect(await seqsFrom(1)).toEqual([1, 3]);
});

test('of another loss too, once it was told', async () => {
  await message('c');
  expect(await seqsFrom(1)).toEqual([]);
  await amend('c', 1);
  await lose();
  outdated.forget();
  expect(await seqsFrom(1)).toEqual([1]);
});
