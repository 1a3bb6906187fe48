import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createSearch } from '../../../../sdk/app/state/search.ts';
import { Refusal, type Message, type SearchPage } from '../../../../sdk/src/entries/client.ts';

/** What the chat app asks of the server's index while somebody types. Time is played. */

beforeEach(() => void vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const pageOf = (body: string): SearchPage => ({ messages: [{ id: body, body } as unknown as Message], more: false });
const busy = (retryAfterMs?: number) =>
  new Refusal('retry_later', 'not now', retryAfterMs === undefined ? {} : { retryAfterMs });

function searchOf(answers: (SearchPage | Error)[]) {
  const asked: string[] = [];
  const search = createSearch(
    {
      features: ['search'],
      async search(q) {
        asked.push(q);
        const answer = answers.shift();
        if (answer === undefined) throw busy();
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
    () => undefined,
  );
  return { search, asked };
}

test('asks once nothing was typed for a while', async () => {
  const { search, asked } = searchOf([pageOf('found')]);
  for (const text of ['d', 'dr', 'dra', 'draft']) {
    search.set(text);
    await vi.advanceTimersByTimeAsync(100);
  }
  expect([asked, search.found]).toEqual([[], { state: 'searching', messages: [] }]);
  await vi.advanceTimersByTimeAsync(150);
  expect([asked, search.found]).toMatchObject([['draft'], { state: 'done', messages: [{ id: 'found' }] }]);
});

test('says that a search failed, and asks again by itself, later each time', async () => {
  const { search, asked } = searchOf([busy(), new TypeError('Failed to fetch'), busy(5000), pageOf('found')]);
  search.set('draft');
  const counts: number[] = [];
  for (const ms of [250, 999, 1, 1999, 1, 4999]) {
    await vi.advanceTimersByTimeAsync(ms);
    expect(search.found.state).toBe('failed');
    counts.push(asked.length);
  }
  expect(counts).toEqual([1, 1, 2, 2, 3, 3]);
  await vi.advanceTimersByTimeAsync(1);
  expect(search.found).toMatchObject({ state: 'done', messages: [{ id: 'found' }] });
});

test('ends after some tries, at a refusal for good, and when it is closed', async () => {
  const { search, asked } = searchOf([]);
  search.set('draft');
  await vi.advanceTimersByTimeAsync(600_000);
  expect([asked.length, search.found.state]).toEqual([6, 'failed']);

  const refused = searchOf([new Refusal('bad_request', 'no')]);
  refused.search.set('draft');
  await vi.advanceTimersByTimeAsync(600_000);
  expect([refused.asked.length, refused.search.found.state]).toEqual([1, 'failed']);

  const closed = searchOf([busy()]);
  closed.search.set('draft');
  await vi.advanceTimersByTimeAsync(500);
  closed.search.close();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(closed.asked.length).toBe(1);
});

test('what is typed anew ends the tries of what was there before', async () => {
  const { search, asked } = searchOf([busy(), pageOf('found')]);
  search.set('draft');
  await vi.advanceTimersByTimeAsync(300);
  search.set('');
  search.set('draft');
  await vi.advanceTimersByTimeAsync(600_000);
  expect([asked.length, search.found.state]).toEqual([2, 'done']);
});
