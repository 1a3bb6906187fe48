import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createSearchQuestions, type SearchQuestions } from '../../../../gateway/reads/search-questions.ts';
import { createKeys } from '../../../../shared/redis/keys.ts';
import type { ProcessReport } from '../../../../shared/redis/processes.ts';

/** Which process is asked, and what happens if it does not answer. Time is played. */

const state = { type: 'state' } as const;
const found = { type: 'found', hits: [], next: null, behindMs: 0, rebuilding: false };

/** What a process does with a question: answers, keeps silent, or is gone. */
type Behaviour = object | 'silent' | 'gone';
let behaviours: Map<string, Behaviour>;
let asked: string[];
let lists: number;
let questions: SearchQuestions;

beforeEach(() => {
  vi.useFakeTimers();
  behaviours = new Map();
  asked = [];
  lists = 0;
  const redis = {
    async publish(channel: string, payload: string) {
      const process = channel.replace('rst:search:', '');
      asked.push(process);
      const behaviour = behaviours.get(process) ?? 'gone';
      const [gateway, id] = payload.split('\n')[0]!.split(' ') as [string, string];
      if (typeof behaviour === 'object' && gateway === 'gateway')
        queueMicrotask(() => questions.found(id, JSON.stringify(behaviour)));
      return behaviour === 'gone' ? 0 : 1;
    },
  } as unknown as Redis;
  questions = createSearchQuestions({
    redis,
    keys: createKeys('rst', 4, 64),
    gateway: 'gateway',
    processes: {
      async list() {
        lists += 1;
        return [...behaviours.keys()].map((id) => ({ id, role: 'search' }) as ProcessReport);
      },
    },
  });
});
afterEach(() => vi.useRealTimers());

/** Lets played time pass until the promise is settled. */
async function settled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(10_000);
  return promise;
}

test('asks a process, and gives its answer', async () => {
  behaviours.set('a', found);
  expect(await questions.ask(state)).toEqual(found);
  expect(await questions.ask(state)).toEqual(found);
  expect([asked, lists]).toEqual([['a', 'a'], 1]);
});

test('asks another one after 2 s of silence, and the silent one last from then on', async () => {
  behaviours.set('silent', 'silent').set('a', found);
  for (let i = 0; i < 20 && !asked.includes('silent'); i++) expect(await settled(questions.ask(state))).toEqual(found);
  expect(asked).toContain('silent');
  asked = [];
  for (let i = 0; i < 10; i++) expect(await questions.ask(state)).toEqual(found);
  expect(asked).toEqual(Array.from({ length: 10 }, () => 'a'));
});

test('goes on at once if a process is gone or busy', async () => {
  behaviours.set('b', 'gone').set('c', { type: 'failed', reason: 'busy' }).set('a', found);
  for (let i = 0; i < 10; i++) expect(await questions.ask(state)).toEqual(found);
});

test('goes on until one is found that is there, however many are gone', async () => {
  for (const id of ['a', 'b', 'c', 'd']) behaviours.set(id, 'gone');
  await expect(questions.ask(state)).rejects.toMatchObject({ code: 'retry_later' });
  // The list is read again, and the new one comes after those that did not answer.
  behaviours.set('new', found);
  expect(await questions.ask(state)).toEqual(found);
  for (const id of ['e', 'f', 'g', 'h']) behaviours.set(id, 'gone');
  for (let i = 0; i < 10; i++) expect(await questions.ask(state)).toEqual(found);
});

test('reads the list again before it gives up', async () => {
  behaviours.set('old', 'gone');
  await expect(questions.ask(state)).rejects.toMatchObject({ code: 'retry_later' });
  behaviours.delete('old');
  behaviours.set('new', found);
  expect(await questions.ask(state)).toEqual(found);
});

test('asks at most three, and says that nobody answers', async () => {
  for (const id of ['a', 'b', 'c', 'd']) behaviours.set(id, 'silent');
  await expect(settled(questions.ask(state))).rejects.toMatchObject({ code: 'retry_later' });
  expect(new Set(asked).size).toBe(3);
});

test('bounds the questions under way, and passes over late answers', async () => {
  behaviours.set('a', 'silent');
  const all = Array.from({ length: 200 }, () => questions.ask(state));
  for (const one of all) one.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(1);
  await expect(questions.ask(state)).rejects.toMatchObject({ code: 'retry_later' });
  await vi.advanceTimersByTimeAsync(10_000);
  questions.found('1', JSON.stringify(found));
  behaviours.set('a', found);
  expect(await questions.ask(state)).toEqual(found);
});

test('asks all of them, and leaves out those that do not answer', async () => {
  behaviours.set('a', found).set('b', 'silent').set('c', found);
  expect(await settled(questions.askAll(state))).toEqual([found, found]);
});
