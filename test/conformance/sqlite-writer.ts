/**
 * A process that writes to the SQLite history for sqlite.test.ts: `node sqlite-writer.ts PATH NAME CALLS`. Each call is
 * one write of three blocks, one to a conversation of its own, the same seq in all; it prints the seq once the write
 * resolved.
 */
import { openSqliteStore } from '../../shared/history/sqlite/store.ts';

const [path = '', name = '', calls = '0'] = process.argv.slice(2);
const store = openSqliteStore(path);
process.stdout.write('open\n');
for (let seq = 1; seq <= Number(calls); seq++) {
  const outcomes = await store.write({
    progress: { partition: 0, streamId: `${seq}-0`, completeAt: seq },
    conversations: [],
    members: [{ conversation: `${name}-a`, user: name, spans: [{ joined: seq, left: null }], version: seq }],
    skips: [],
    amendments: [],
    blocks: ['a', 'b', 'c'].map((part) => ({
      conversation: `${name}-${part}`,
      firstSeq: seq,
      lastSeq: seq,
      firstAt: seq,
      lastAt: seq,
      format: 1,
      rev: 0,
      texts: [JSON.stringify({ seq, body: 'x'.repeat(2000) })],
    })),
  });
  if (outcomes.some((outcome) => outcome !== 'stored')) throw new Error(`seq ${seq}: ${outcomes.join()}`);
  process.stdout.write(`${seq}\n`);
}
await store.close();
