import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { coldName, toObject } from '../../shared/history/cold/cold-block.ts';
import { withCold } from '../../shared/history/cold/cold.ts';
import { openFolder } from '../../shared/history/cold/folder.ts';
import { openDatabase } from '../../shared/history/sqlite/schema.ts';
import { reads } from '../../shared/history/sqlite/sql.ts';
import { openSqliteStore } from '../../shared/history/sqlite/store.ts';
import { openSqliteThread } from '../../shared/history/sqlite/thread.ts';
import type { HistoryStore } from '../../shared/history/store.ts';
import { historyStoreCases } from './history-store.cases.ts';
import { blockOf, makeFolder, oneFileEach, removeFolder } from './sqlite-file.ts';

/** Takes from a file of this version what each later schema has added. */
const dropNinth = 'DROP TABLE settings;';
const dropEighth = `${dropNinth} ALTER TABLE conversations DROP COLUMN creator;`;
const dropSeventh = `${dropEighth} ALTER TABLE blocks DROP COLUMN rev; DROP TABLE amendments;`;
const dropSixth = `${dropSeventh} ALTER TABLE deployment DROP COLUMN formats; DROP TABLE processes; DROP TABLE slots;`;

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
  const file = oneFileEach();

  test('a commit is synced to the disk and readers do not wait for writers', () => {
    file.opened(openSqliteStore(file.path));
    const db = openDatabase(file.path, false);
    expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(db.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
    expect(db.prepare('PRAGMA busy_timeout').get()).toEqual({ timeout: 5000 });
    db.close();
  });

  test('every read walks an index', () => {
    const db = openDatabase(file.path, false);
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
    await file.opened(openSqliteStore(file.path)).write({ ...blockOf('c', 1), conversations: [info] });
    const db = new DatabaseSync(file.path);
    db.exec(`${dropSixth} ALTER TABLE deployment DROP COLUMN opened; ALTER TABLE deployment DROP COLUMN losses;
      ALTER TABLE deployment ADD COLUMN lost_since INTEGER; DROP INDEX conversations_by_days;
      ALTER TABLE conversations DROP COLUMN history_days;
      DROP INDEX blocks_by_end; ALTER TABLE blocks DROP COLUMN apart; DROP TABLE packs; PRAGMA user_version = 1`);
    db.close();
    const again = file.opened(openSqliteStore(file.path));
    expect(await again.newestBlock('c')).toEqual(blockOf('c', 1).blocks[0]);
    expect((await again.conversation('c'))?.info).toEqual(info);
    expect(await again.expireBlocks(5, 9)).toEqual({ looked: 1, removed: 1 });
    const upgraded = new DatabaseSync(file.path);
    expect(upgraded.prepare('PRAGMA user_version').get()).toEqual({ user_version: 9 });
    expect(upgraded.prepare("SELECT name FROM sqlite_master WHERE name = 'blocks_by_end'").all()).toHaveLength(1);
    upgraded.close();
  });

  test.each([
    [null, []],
    [1234, [{ epoch: 'e3', generation: 3, lostSince: 1234 }]],
  ])('a deployment row of the fourth schema keeps the loss that it knows of: %s', async (lostSince, losses) => {
    file.opened(openSqliteStore(file.path));
    const db = new DatabaseSync(file.path);
    db.exec(`${dropSixth} ALTER TABLE deployment DROP COLUMN opened; ALTER TABLE deployment DROP COLUMN losses;
        ALTER TABLE deployment ADD COLUMN lost_since INTEGER; PRAGMA user_version = 4`);
    db.prepare('INSERT INTO deployment VALUES (1, ?, 3, 4, 64, ?)').run('e3', lostSince);
    db.close();
    expect(await file.opened(openSqliteStore(file.path)).deployment()).toEqual({
      epoch: 'e3',
      generation: 3,
      partitions: 4,
      inboxShards: 64,
      opened: true,
      formats: 1,
      losses,
    });
  });

  test('a file of the sixth schema is upgraded: its blocks are of the first revision, and can be amended', async () => {
    await file.opened(openSqliteStore(file.path)).write(blockOf('c', 1));
    const db = new DatabaseSync(file.path);
    db.exec(`${dropSeventh} PRAGMA user_version = 6`);
    db.close();
    const again = file.opened(openSqliteStore(file.path));
    const [block] = blockOf('c', 1).blocks;
    expect(await again.newestBlock('c')).toEqual(block);
    expect(await again.rewriteBlock(block!, 0, { ...block!, texts: ['{}'] })).toBe(true);
    expect(await again.newestAmendment('c')).toBe(0);
  });

  test('a file of the eighth schema is upgraded: nobody has set anything', async () => {
    file.opened(openSqliteStore(file.path));
    const db = new DatabaseSync(file.path);
    db.exec(`${dropNinth} PRAGMA user_version = 8`);
    db.close();
    expect(await file.opened(openSqliteStore(file.path)).settings('bob')).toEqual([]);
  });

  test('what is deleted or replaced is not left in the file', async () => {
    const store = file.opened(openSqliteStore(file.path));
    const body = `"secret-${'x'.repeat(20_000)}"`;
    const secret = { ...blockOf('c', 1).blocks[0]!, texts: [body] };
    const amendment = { conversation: 'c', seq: 1, version: 1, action: 'edit' as const, by: 'a', at: 1 };
    await store.write({ ...blockOf('c', 1), blocks: [secret], amendments: [{ ...amendment, amendSeq: 2, body }] });
    const inFile = async (): Promise<boolean> => {
      const db = openDatabase(file.path, false);
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      db.close();
      return (await readFile(file.path)).includes('secret');
    };
    expect(await inFile()).toBe(true);
    await store.rewriteBlock(secret, 0, { ...secret, texts: ['null'] });
    const recall = { ...amendment, action: 'recall' as const, amendSeq: 3, body: null };
    await store.write({ ...blockOf('c', 1), blocks: [], amendments: [recall] });
    expect(await inFile()).toBe(false);
  });

  test('a file of another schema is refused', () => {
    const db = new DatabaseSync(file.path);
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(() => openSqliteStore(file.path)).toThrow('has schema 99, this program knows schema 9');
    expect(() => openSqliteStore(file.path, { readOnly: true })).toThrow('schema 99');
  });

  test('a block of an unknown format is refused when read', async () => {
    const store = file.opened(openSqliteStore(file.path));
    await store.write(blockOf('c', 1));
    const db = new DatabaseSync(file.path);
    db.exec('UPDATE blocks SET format = 9');
    db.close();
    await expect(store.newestBlock('c')).rejects.toThrow('unknown format 9');
  });

  test('merging and retention leave no texts behind', async () => {
    const store = file.opened(openSqliteStore(file.path));
    const seqs = [1, 2, 3, 4].map((seq) => blockOf('c', seq).blocks[0]!);
    await store.write({ ...blockOf('c', 1), blocks: seqs });
    const db = new DatabaseSync(file.path);
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
    expect(() => openSqliteStore(file.path, { readOnly: true })).toThrow();
    const writer = file.opened(openSqliteStore(file.path));
    const reader = file.opened(openSqliteStore(file.path, { readOnly: true }));
    await writer.write(blockOf('c', 1));
    expect((await reader.newestBlock('c'))?.lastSeq).toBe(1);
    await expect(reader.write(blockOf('c', 2))).rejects.toThrow('for reading only');
    await writer.close();
    expect((await reader.newestBlock('c'))?.lastSeq).toBe(1);
  });

  test('a write that fails in the middle leaves nothing, and the store works on', async () => {
    const store = file.opened(openSqliteStore(file.path));
    const broken = { ...blockOf('c', 1), skips: [{ conversation: 'c', fromSeq: null as unknown as number, toSeq: 5 }] };
    broken.progress = { partition: 0, streamId: '1-0', completeAt: 1 };
    await expect(store.write(broken)).rejects.toThrow('NOT NULL');
    expect(await store.progress()).toEqual([]);
    expect(await store.write(blockOf('c', 1))).toEqual(['stored']);
  });
});
