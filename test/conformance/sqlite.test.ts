import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { coldName, toObject } from '../../shared/history/cold/cold-block.ts';
import { withCold } from '../../shared/history/cold/cold.ts';
import { openFolder } from '../../shared/history/cold/folder.ts';
import { openDatabase } from '../../shared/history/sqlite/schema.ts';
import { reads } from '../../shared/history/sqlite/sql.ts';
import { openSqliteStore } from '../../shared/history/sqlite/store.ts';
import { openSqliteThread } from '../../shared/history/sqlite/thread.ts';
import type { ArchiveWrite, HistoryStore } from '../../shared/history/store.ts';
import { historyStoreCases } from './history-store.cases.ts';

/** Takes from a file of this version what the sixth schema has added. */
const dropSixth = 'ALTER TABLE deployment DROP COLUMN formats; DROP TABLE processes; DROP TABLE slots;';

const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'restante-history-'));
const removeFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

const inFolder = (open: (path: string) => HistoryStore) => async () => {
  const folder = await makeFolder();
  return { open: () => open(join(folder, 'made', 'when opened', 'history.db')), remove: () => removeFolder(folder) };
};

historyStoreCases('SQLite', inFolder(openSqliteStore));
historyStoreCases('SQLite in a thread', inFolder(openSqliteThread));
historyStoreCases('SQLite with a cold store', async () => {
  const folder = await makeFolder();
  const objects = openFolder(join(folder, 'made', 'cold'));
  return {
    open: () => withCold(openSqliteStore(join(folder, 'history.db')), objects),
    remove: () => removeFolder(folder),
    put: (block) => objects.put(coldName(block), toObject(block)),
  };
});

describe('SQLite', () => {
  let folder: string;
  let path: string;
  const closing: HistoryStore[] = [];

  beforeEach(async () => {
    folder = await makeFolder();
    path = join(folder, 'history.db');
  });
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((store) => store.close()));
    await removeFolder(folder);
  });

  const opened = <S extends HistoryStore>(store: S): S => {
    closing.push(store);
    return store;
  };

  const blockOf = (conversation: string, seq: number): ArchiveWrite => ({
    progress: null,
    conversations: [],
    members: [],
    skips: [],
    blocks: [
      { conversation, firstSeq: seq, lastSeq: seq, firstAt: seq, lastAt: seq, format: 1, texts: [`{"seq":${seq}}`] },
    ],
  });

  /** Runs the writer of sqlite-writer.ts; `seqs` are those whose write has resolved there. */
  const startWriter = (name: string, calls: number) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'sqlite-writer.ts'), path, name, `${calls}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const seqs: number[] = [];
    let errors = '';
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    const waiting = new Map<number, () => void>();
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'open') return;
      seqs.push(Number(line));
      waiting.get(Number(line))?.();
    });
    const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, errors }));
    const reached = (seq: number): Promise<void> =>
      Promise.race([
        new Promise<void>((resolve) => (seqs.includes(seq) ? resolve() : waiting.set(seq, resolve))),
        ended.then(({ errors: text }) => Promise.reject(new Error(`the writer ended early: ${text}`))),
      ]);
    return { child, seqs, ended, reached };
  };

  const allSeqs = async (store: HistoryStore, conversation: string): Promise<number[]> =>
    (await store.blocks(conversation, 1, 1_000_000, 'oldest', 1_000_000)).map(({ firstSeq }) => firstSeq);

  const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

  test('a commit is synced to the disk and readers do not wait for writers', () => {
    opened(openSqliteStore(path));
    const db = openDatabase(path, false);
    expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(db.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
    expect(db.prepare('PRAGMA busy_timeout').get()).toEqual({ timeout: 5000 });
    db.close();
  });

  test('every read walks an index', () => {
    const db = openDatabase(path, false);
    const plans = Object.fromEntries(
      Object.entries(reads).map(([name, sql]) => [
        name,
        db
          .prepare(`EXPLAIN QUERY PLAN ${sql}`)
          .all()
          .map(({ detail }) => String(detail)),
      ]),
    );
    db.close();
    const inRange = 'SEARCH blocks USING PRIMARY KEY (conversation=? AND first_seq>? AND first_seq<?)';
    const theirTexts = ['texts', 'packs'].map(
      (table) => `SEARCH ${table} USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN`,
    );
    expect(plans['oldestBlocks']).toEqual([inRange, ...theirTexts]);
    expect(plans['newestBlocks']).toEqual([inRange, ...theirTexts]);
    expect(plans['blocksSince']).toEqual([
      'SEARCH blocks USING PRIMARY KEY (conversation=? AND first_seq>?)',
      ...theirTexts,
    ]);
    expect(plans['conversationsOf']).toContain('SEARCH m USING INDEX members_by_user (user=? AND conversation>?)');
    expect(plans['ownDays']).toEqual([
      'SEARCH conversations USING COVERING INDEX conversations_by_days ((history_days,id)>(?,?))',
    ]);
    expect(plans['expired']![0]).toBe('SEARCH b USING INDEX blocks_by_end (apart=? AND last_at>? AND last_at<?)');
    // Two walks in step, and no sorting.
    const byEnd = 'SEARCH blocks USING COVERING INDEX blocks_by_end (apart=? AND last_at>?)';
    expect(plans['changedSince']).toEqual(['MERGE (UNION ALL)', 'LEFT', byEnd, 'RIGHT', byEnd]);
    // One row for each partition, process or slot, and one key of the newest text: all of these are to be read.
    const readWhole = new Set(['progress', 'processes', 'slots', 'nextGate', 'nextTextId', 'nextPackId']);
    const searching = Object.fromEntries(Object.entries(plans).filter(([name]) => !readWhole.has(name)));
    expect(
      Object.values(searching)
        .flat()
        .filter((step) => step.startsWith('SCAN') && step !== 'SCAN CONSTANT ROW'),
    ).toEqual([]);
    expect(plans['holding']).toEqual([inRange]);
  });

  test('a file of the first schema is upgraded, with what it holds', async () => {
    const info = {
      id: 'c',
      kind: 'group' as const,
      name: 'C',
      createdAt: 1,
      service: false,
      users: null,
      historyDays: null,
      version: 2,
    };
    await opened(openSqliteStore(path)).write({ ...blockOf('c', 1), conversations: [info] });
    const db = new DatabaseSync(path);
    db.exec(`${dropSixth} ALTER TABLE deployment DROP COLUMN opened; ALTER TABLE deployment DROP COLUMN losses;
      ALTER TABLE deployment ADD COLUMN lost_since INTEGER; DROP INDEX conversations_by_days;
      ALTER TABLE conversations DROP COLUMN history_days;
      DROP INDEX blocks_by_end; ALTER TABLE blocks DROP COLUMN apart; DROP TABLE packs; PRAGMA user_version = 1`);
    db.close();
    const again = opened(openSqliteStore(path));
    expect(await again.newestBlock('c')).toEqual(blockOf('c', 1).blocks[0]);
    expect((await again.conversation('c'))?.info).toEqual(info);
    expect(await again.expireBlocks(5, 9)).toEqual({ looked: 1, removed: 1 });
    const upgraded = new DatabaseSync(path);
    expect(upgraded.prepare('PRAGMA user_version').get()).toEqual({ user_version: 6 });
    expect(upgraded.prepare("SELECT name FROM sqlite_master WHERE name = 'blocks_by_end'").all()).toHaveLength(1);
    upgraded.close();
  });

  test.each([
    [null, []],
    [1234, [{ epoch: 'e3', generation: 3, lostSince: 1234 }]],
  ])('a deployment row of the fourth schema keeps the loss that it knows of: %s', async (lostSince, losses) => {
    opened(openSqliteStore(path));
    const db = new DatabaseSync(path);
    db.exec(`${dropSixth} ALTER TABLE deployment DROP COLUMN opened; ALTER TABLE deployment DROP COLUMN losses;
        ALTER TABLE deployment ADD COLUMN lost_since INTEGER; PRAGMA user_version = 4`);
    db.prepare('INSERT INTO deployment VALUES (1, ?, 3, 4, 64, ?)').run('e3', lostSince);
    db.close();
    expect(await opened(openSqliteStore(path)).deployment()).toEqual({
      epoch: 'e3',
      generation: 3,
      partitions: 4,
      inboxShards: 64,
      opened: true,
      formats: 1,
      losses,
    });
  });

  test('a file of another schema is refused', () => {
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(() => openSqliteStore(path)).toThrow('has schema 99, this program knows schema 6');
    expect(() => openSqliteStore(path, { readOnly: true })).toThrow('schema 99');
  });

  test('a block of an unknown format is refused when read', async () => {
    const store = opened(openSqliteStore(path));
    await store.write(blockOf('c', 1));
    const db = new DatabaseSync(path);
    db.exec('UPDATE blocks SET format = 9');
    db.close();
    await expect(store.newestBlock('c')).rejects.toThrow('unknown format 9');
  });

  test('merging and retention leave no texts behind', async () => {
    const store = opened(openSqliteStore(path));
    const seqs = [1, 2, 3, 4].map((seq) => blockOf('c', seq).blocks[0]!);
    await store.write({ ...blockOf('c', 1), blocks: seqs });
    const db = new DatabaseSync(path);
    const left = () =>
      db
        .prepare(
          `SELECT (SELECT count(*) FROM blocks) AS blocks, (SELECT count(*) FROM texts) AS texts,
            (SELECT count(*) FROM packs) AS packs`,
        )
        .get();
    const merged = {
      ...seqs[0]!,
      lastSeq: 3,
      lastAt: 3,
      format: 2,
      texts: seqs.slice(0, 3).flatMap(({ texts }) => texts),
    };
    expect(await store.replaceBlocks(seqs.slice(0, 3), merged)).toBe(true);
    expect(left()).toEqual({ blocks: 2, texts: 1, packs: 1 });
    expect(await store.expireBlocks(4, 9)).toEqual({ looked: 1, removed: 1 });
    expect(left()).toEqual({ blocks: 1, texts: 1, packs: 0 });
    expect(await store.expireBlocks(5, 9)).toEqual({ looked: 1, removed: 1 });
    expect(left()).toEqual({ blocks: 1, texts: 0, packs: 0 });
    db.close();
  });

  test('read only: it makes nothing, reads what others write and writes nothing', async () => {
    expect(() => openSqliteStore(path, { readOnly: true })).toThrow();
    const writer = opened(openSqliteStore(path));
    const reader = opened(openSqliteStore(path, { readOnly: true }));
    await writer.write(blockOf('c', 1));
    expect((await reader.newestBlock('c'))?.lastSeq).toBe(1);
    await expect(reader.write(blockOf('c', 2))).rejects.toThrow('for reading only');
    await writer.close();
    expect((await reader.newestBlock('c'))?.lastSeq).toBe(1);
  });

  test('a write that fails in the middle leaves nothing, and the store works on', async () => {
    const store = opened(openSqliteStore(path));
    const broken = { ...blockOf('c', 1), skips: [{ conversation: 'c', fromSeq: null as unknown as number, toSeq: 5 }] };
    broken.progress = { partition: 0, streamId: '1-0', completeAt: 1 };
    await expect(store.write(broken)).rejects.toThrow('NOT NULL');
    expect(await store.progress()).toEqual([]);
    expect(await store.write(blockOf('c', 1))).toEqual(['stored']);
  });

  test(
    'processes that start at the same moment make the file together and write without a busy error',
    { timeout: 90_000 },
    async () => {
      const writers = upTo(4).map((number) => startWriter(`w${number}`, 60));
      const ends = await Promise.all(writers.map(({ ended }) => ended));
      expect(ends).toEqual(writers.map(() => ({ code: 0, signal: null, errors: '' })));
      const store = opened(openSqliteStore(path));
      for (const number of upTo(4))
        for (const part of ['a', 'b', 'c']) expect(await allSeqs(store, `w${number}-${part}`)).toEqual(upTo(60));
    },
  );

  test(
    'kill -9 of a writer at any moment leaves whole calls only, and all that had resolved',
    { timeout: 90_000 },
    async () => {
      const store = opened(openSqliteStore(path));
      for (const stopAt of [1, 7, 20]) {
        const name = `killed-at-${stopAt}`;
        const writer = startWriter(name, 1_000_000);
        const survivor = startWriter(`beside-${stopAt}`, 30);
        await writer.reached(stopAt);
        writer.child.kill('SIGKILL');
        expect(await writer.ended).toMatchObject({ signal: 'SIGKILL', errors: '' });
        expect(await survivor.ended).toMatchObject({ code: 0, errors: '' });
        const stored = await allSeqs(store, `${name}-a`);
        expect(stored.length).toBeGreaterThanOrEqual(writer.seqs.length);
        expect(stored).toEqual(upTo(stored.length));
        expect(await allSeqs(store, `${name}-b`)).toEqual(stored);
        expect(await allSeqs(store, `${name}-c`)).toEqual(stored);
        expect((await store.conversationsOf(name, '', 1))[0]?.member.version).toBe(stored.length);
      }
      const db = openDatabase(path, false);
      expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
      db.close();
    },
  );

  test('kill -9 between BEGIN and COMMIT, with pages already written, leaves nothing and holds no lock', async () => {
    const store = opened(openSqliteStore(path));
    await store.write(blockOf('c', 1));
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `
      import { openDatabase } from '${new URL('../../shared/history/sqlite/schema.ts', import.meta.url).href}';
      const db = openDatabase(process.argv[1], false);
      db.exec('PRAGMA cache_size = 10; BEGIN IMMEDIATE');
      db.exec("INSERT INTO blocks VALUES ('c', 2, 2, 2, 2, 1, 1000, 0)");
      const insert = db.prepare('INSERT INTO texts VALUES (?, ?)');
      for (let id = 1000; id < 2000; id++) insert.run(id, 'x'.repeat(4000));
      process.stdout.write('in the middle');
      setInterval(() => {}, 1000);
    `,
        path,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(child.stdout, 'data');
    // A reader is not held up, and does not see it.
    expect((await store.newestBlock('c'))?.lastSeq).toBe(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await store.write(blockOf('c', 2))).toEqual(['stored']);
    const db = openDatabase(path, false);
    expect(db.prepare('SELECT count(*) AS texts FROM texts').get()).toEqual({ texts: 2 });
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    db.close();
  });

  describe('in a thread', () => {
    /** The store with the thread it has started. */
    const startThread = async (): Promise<{ store: HistoryStore; worker: Worker }> => {
      const started = once(process, 'worker') as Promise<[Worker]>;
      const store = opened(openSqliteThread(path));
      await store.ping();
      return { store, worker: (await started)[0] };
    };

    const eventually = <T>(task: () => Promise<T>): Promise<T> => vi.waitFor(task, 10_000);

    test('the event loop runs while the disk works', async () => {
      const { store } = await startThread();
      const lock = openDatabase(path, false);
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
      const blocked = join(folder, 'a-file-where-a-folder-must-be');
      await writeFile(blocked, '');
      const store = opened(openSqliteThread(join(blocked, 'history.db')));
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
      const store = openSqliteThread(join(folder, 'unused.db'));
      await store.close();
      await expect(store.ping()).rejects.toThrow('closed');
    });
  });
});
