import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../shared/history/sqlite/schema.ts';
import { openSqliteStore } from '../../shared/history/sqlite/store.ts';
import { allSeqs, blockOf, oneFileEach, upTo } from './sqlite-file.ts';

/** Several processes on one file, and one that is killed. */

const file = oneFileEach();

/** Runs the writer of sqlite-writer.ts; `seqs` are those whose write has resolved there. */
const startWriter = (name: string, calls: number) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'sqlite-writer.ts'), file.path, name, `${calls}`], {
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

describe('SQLite', () => {
  test(
    'processes that start at the same moment make the file together and write without a busy error',
    { timeout: 90_000 },
    async () => {
      const writers = upTo(4).map((number) => startWriter(`w${number}`, 60));
      const ends = await Promise.all(writers.map(({ ended }) => ended));
      expect(ends).toEqual(writers.map(() => ({ code: 0, signal: null, errors: '' })));
      const store = file.opened(openSqliteStore(file.path));
      for (const number of upTo(4))
        for (const part of ['a', 'b', 'c']) expect(await allSeqs(store, `w${number}-${part}`)).toEqual(upTo(60));
    },
  );

  test(
    'kill -9 of a writer at any moment leaves whole calls only, and all that had resolved',
    { timeout: 90_000 },
    async () => {
      const store = file.opened(openSqliteStore(file.path));
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
      const db = openDatabase(file.path, false);
      expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
      db.close();
    },
  );

  test('kill -9 between BEGIN and COMMIT, with pages already written, leaves nothing and holds no lock', async () => {
    const store = file.opened(openSqliteStore(file.path));
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
      db.exec("INSERT INTO blocks VALUES ('c', 2, 2, 2, 2, 1, 1000, 0, 0)");
      const insert = db.prepare('INSERT INTO texts VALUES (?, ?)');
      for (let id = 1000; id < 2000; id++) insert.run(id, 'x'.repeat(4000));
      process.stdout.write('in the middle');
      setInterval(() => {}, 1000);
    `,
        file.path,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(child.stdout, 'data');
    // A reader is not held up, and does not see it.
    expect((await store.newestBlock('c'))?.lastSeq).toBe(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await store.write(blockOf('c', 2))).toEqual(['stored']);
    const db = openDatabase(file.path, false);
    expect(db.prepare('SELECT count(*) AS texts FROM texts').get()).toEqual({ texts: 2 });
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    db.close();
  });
});
