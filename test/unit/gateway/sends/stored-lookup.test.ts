import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createStoredLookup, type Sought } from '../../../../gateway/sends/stored-lookup.ts';
import type { Block } from '../../../../shared/history/store.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const textOf = (id: string, seq: number) => `{"id":"${id}","conversation":"c","seq":${seq},"at":1,"sender":"a"}`;

/** A history whose stored messages the test sets, and the times at which it was asked (ms from the beginning). */
function play() {
  const stored = new Map<number, string>();
  const state = { lastSeq: 0, broken: false };
  const asked: number[] = [];
  const began = performance.now();
  const found: string[] = [];
  const lookup = createStoredLookup(
    {
      async lastSeqs() {
        asked.push(Math.round(performance.now() - began));
        if (state.broken) throw new Error('away');
        return new Map([['c', state.lastSeq]]);
      },
      blocks: async (_conversation, seq) => {
        const id = stored.get(seq);
        return id === undefined ? [] : [{ firstSeq: seq, lastSeq: seq, texts: [textOf(id, seq)] } as Block];
      },
    },
    ({ id }) => void found.push(id),
    log,
  );
  const sought = (seq: number): Sought => ({ id: `1-${seq}-0`, conversation: 'c', seq });
  return { lookup, stored, state, asked, found, sought };
}

test('asks with pauses that grow from 50 to 400 ms, and ends once it is found', async () => {
  const { lookup, stored, state, asked, found, sought } = play();
  lookup.seek(sought(1));
  await vi.advanceTimersByTimeAsync(1600);
  expect(asked).toEqual([0, 50, 150, 350, 750, 1150, 1550]);
  stored.set(1, '1-1-0');
  state.lastSeq = 1;
  await vi.advanceTimersByTimeAsync(2000);
  expect(found).toEqual(['1-1-0']);
  expect(asked).toHaveLength(8);
});

test('a skip, or another message under the seq, is not stored', async () => {
  const { lookup, stored, state, found, sought } = play();
  state.lastSeq = 2;
  stored.set(2, '1-9-9');
  lookup.seek(sought(1));
  lookup.seek(sought(2));
  await vi.advanceTimersByTimeAsync(3000);
  expect(found).toEqual([]);
});

test('all that are due are asked for together, and what is forgotten is not', async () => {
  const { lookup, stored, state, asked, found, sought } = play();
  state.lastSeq = 9;
  const forgotten = sought(9);
  for (const seq of [1, 2, 3]) lookup.seek(sought(seq), 400);
  for (const seq of [1, 2, 3, 9]) stored.set(seq, `1-${seq}-0`);
  lookup.seek(forgotten, 400);
  lookup.forget(forgotten);
  await vi.advanceTimersByTimeAsync(1000);
  expect(found.sort()).toEqual(['1-1-0', '1-2-0', '1-3-0']);
  expect(asked).toEqual([400]);
});

test('a history that is away is asked again', async () => {
  const { lookup, stored, state, asked, found, sought } = play();
  state.broken = true;
  lookup.seek(sought(1));
  await vi.advanceTimersByTimeAsync(120);
  expect(asked).toEqual([0, 50]);
  Object.assign(state, { broken: false, lastSeq: 1 });
  stored.set(1, '1-1-0');
  await vi.advanceTimersByTimeAsync(100);
  expect(found).toEqual(['1-1-0']);
});
