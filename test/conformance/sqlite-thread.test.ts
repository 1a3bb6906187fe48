import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { describe, expect, test, vi } from 'vitest';
import { openDatabase } from '../../shared/history/sqlite/schema.ts';
import { openSqliteThread } from '../../shared/history/sqlite/thread.ts';
import type { HistoryStore } from '../../shared/history/store.ts';
import { allSeqs, blockOf, oneFileEach, upTo } from './sqlite-file.ts';

const file = oneFileEach();

describe('SQLite in a thread', () => {
  /** The store with the thread it has started. */
  const startThread = async (): Promise<{ store: HistoryStore; worker: Worker }> => {
    const started = once(process, 'worker') as Promise<[Worker]>;
    const store = file.opened(openSqliteThread(file.path));
    await store.ping();
    return { store, worker: (await started)[0] };
  };

  const eventually = <T>(task: () => Promise<T>): Promise<T> => vi.waitFor(task, 10_000);

  test('the event loop runs while the disk works', async () => {
    const { store } = await startThread();
    const lock = openDatabase(file.path, false);
    lock.exec('BEGIN IMMEDIATE');
    const writing = store.write(blockOf('c', 1));
    let isWritten = false;
    void writing.then(() => (isWritten = true));
    // Nothing happens, which no event tells: a write that did not wait would be done by now.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isWritten).toBe(false);
    lock.exec('COMMIT');
    lock.close();
    expect(await writing).toEqual(['stored']);
  });

  test('errors come over with their message', async () => {
    const { store } = await startThread();
    await expect(
      store.saveDeployment('e1', {
        epoch: 'e2',
        generation: 1,
        partitions: 1,
        inboxShards: 1,
        opened: true,
        formats: 1,
        losses: [],
      }),
    ).rejects.toThrow('no deployment is stored, epoch e1 was expected');
    const broken = {
      ...blockOf('c', 1),
      skips: [{ conversation: 'c', fromSeq: null as unknown as number, toSeq: 5 }],
    };
    await expect(store.write(broken)).rejects.toMatchObject({ code: 'ERR_SQLITE_ERROR' });
  });

  test('what cannot be passed to a thread rejects, and later calls go on', async () => {
    const { store } = await startThread();
    await expect(store.lastSeqs([() => 'c'] as never)).rejects.toMatchObject({ name: 'DataCloneError' });
    expect(await store.lastSeqs(['c'])).toEqual(new Map());
  });

  test('when the thread dies all that waits rejects, and a later call starts another', async () => {
    const { store, worker } = await startThread();
    await store.write(blockOf('c', 1));
    const waiting = upTo(50).map((number) => store.write(blockOf('d', number)));
    const settled = Promise.allSettled(waiting);
    await worker.terminate();
    const outcomes = await settled;
    expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);
    await expect(store.ping()).rejects.toThrow('cannot be used now: the history thread has stopped');
    await eventually(() => store.ping());
    expect((await store.newestBlock('c'))?.lastSeq).toBe(1);
    const stored = await allSeqs(store, 'd');
    for (const [index, { status }] of outcomes.entries())
      if (status === 'fulfilled') expect(stored).toContain(index + 1);
  });

  test('a file that cannot be opened is an error of the calls, until it can', async () => {
    const blocked = join(dirname(file.path), 'a-file-where-a-folder-must-be');
    await writeFile(blocked, '');
    const store = file.opened(openSqliteThread(join(blocked, 'history.db')));
    const calls = await Promise.allSettled([store.ping(), store.progress(), store.write(blockOf('c', 1))]);
    expect(calls.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await rm(blocked);
    expect(await eventually(() => store.write(blockOf('c', 1)))).toEqual(['stored']);
  });

  test('the number of waiting calls is bounded', async () => {
    const { store } = await startThread();
    const calls = await Promise.allSettled(upTo(1200).map(() => store.ping()));
    expect(calls.filter(({ status }) => status === 'fulfilled')).toHaveLength(1000);
    await store.ping();
  });

  test('closing waits for the calls before it', async () => {
    const { store } = await startThread();
    const writing = upTo(20).map((number) => store.write(blockOf('c', number)));
    await store.close();
    expect(await Promise.all(writing)).toEqual(upTo(20).map(() => ['stored']));
  });

  test('closing a store that was never used starts nothing', async () => {
    const store = openSqliteThread(join(dirname(file.path), 'unused.db'));
    await store.close();
    await expect(store.ping()).rejects.toThrow('closed');
  });
});
