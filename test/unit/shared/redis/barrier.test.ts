import { setImmediate as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createBarrier } from '../../../../shared/redis/barrier.ts';
import type { Means } from '../../../../shared/redis/durability.ts';
import { createKeys } from '../../../../shared/redis/keys.ts';

/** A barrier over a connection whose answers the test gives. */
function play(means: Means = 'waitaof', replicas = 0) {
  const durability = { run: 'r1', means };
  const sent: unknown[][][] = [];
  const answers: PromiseWithResolvers<unknown>[] = [];
  const connection = {
    pipeline() {
      const commands: unknown[][] = [];
      const pipeline = {
        set: (...given: unknown[]) => (commands.push(['SET', ...given]), pipeline),
        call: (...given: unknown[]) => (commands.push(given), pipeline),
        exec: () => {
          sent.push(commands);
          const answer = Promise.withResolvers<unknown>();
          answers.push(answer);
          return answer.promise;
        },
      };
      return pipeline;
    },
  };
  const keys = createKeys('t', 1, 1);
  const barrier = createBarrier(connection as unknown as Redis, keys, durability, { replicas, mostMs: 3000 });
  const outcomes: [name: string, isDurable: boolean][] = [];
  return {
    durability,
    sent,
    outcomes,
    pass: (name: string, run = 'r1') => barrier.pass(run, (isDurable) => void outcomes.push([name, isDurable])),
    async answer(at: number, waited: unknown, written: Error | null = null) {
      answers[at]!.resolve([[written, 'OK'], waited instanceof Error ? [waited, null] : [null, waited]]);
      await turn();
    },
    async fail(at: number) {
      answers[at]!.reject(new Error('Connection is closed.'));
      await turn();
    },
  };
}

test('one barrier stands for all answers of a turn, and the next for all that come meanwhile', async () => {
  const { pass, sent, outcomes, answer } = play();
  pass('a');
  pass('b');
  await turn();
  expect(sent).toEqual([
    [
      ['SET', 't:{p0}:barrier', '1'],
      ['WAITAOF', 1, 0, 3000],
    ],
  ]);
  pass('c');
  await turn();
  pass('d');
  await turn();
  expect(sent).toHaveLength(1);
  await answer(0, [1, 0]);
  expect(outcomes).toEqual([
    ['a', true],
    ['b', true],
  ]);
  expect(sent).toHaveLength(2);
  await answer(1, [1, 0]);
  expect(outcomes.slice(2)).toEqual([
    ['c', true],
    ['d', true],
  ]);
});

test.each([
  ['the file is not synced in time', [0, 0]],
  ['too few replicas have it', [1, 1]],
  ['the wait is refused', new Error('ERR')],
] as const)('says nothing of durability if %s', async (_, waited) => {
  const { pass, outcomes, answer } = play('waitaof', 2);
  pass('a');
  await turn();
  await answer(0, waited);
  expect(outcomes).toEqual([['a', false]]);
});

test('says nothing if its own write is refused, or the connection breaks, and goes on', async () => {
  const { pass, outcomes, answer, fail } = play();
  pass('a');
  await turn();
  await answer(0, [1, 0], new Error('OOM'));
  pass('b');
  await turn();
  await fail(1);
  pass('c');
  await turn();
  await answer(2, [1, 0]);
  expect(outcomes).toEqual([
    ['a', false],
    ['b', false],
    ['c', true],
  ]);
});

test('counts replicas of WAIT', async () => {
  const { pass, sent, outcomes, answer } = play('wait', 2);
  pass('a');
  await turn();
  expect(sent[0]![1]).toEqual(['WAIT', 2, 3000]);
  await answer(0, 1);
  pass('b');
  await turn();
  await answer(1, 2);
  expect(outcomes).toEqual([
    ['a', false],
    ['b', true],
  ]);
});

test('stands for answers of its own run only', async () => {
  const { durability, pass, sent, outcomes, answer } = play();
  pass('before');
  durability.run = 'r2';
  pass('after', 'r2');
  await turn();
  expect(outcomes).toEqual([['before', false]]);
  await answer(0, [1, 0]);
  expect(outcomes.slice(1)).toEqual([['after', true]]);
  durability.run = '';
  pass('late', 'r2');
  await turn();
  expect(outcomes.slice(2)).toEqual([['late', false]]);
  expect(sent).toHaveLength(1);
});
