import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { ArchiveWrite, HistoryStore } from '../../shared/history/store.ts';

/** The database file of one test, in a folder of its own. */
export type SqliteFile = {
  readonly path: string;
  /** Closes this store after the test. */
  opened<S extends HistoryStore>(store: S): S;
};

export const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'restante-history-'));
export const removeFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

/** Each test of the file that calls this has a file of its own, which is not made yet. */
export function oneFileEach(): SqliteFile {
  let folder: string;
  const closing: HistoryStore[] = [];
  beforeEach(async () => {
    folder = await makeFolder();
  });
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((store) => store.close()));
    await removeFolder(folder);
  });
  return {
    get path() {
      return join(folder, 'history.db');
    },
    opened(store) {
      closing.push(store);
      return store;
    },
  };
}

/** A write of one block with one text. */
export const blockOf = (conversation: string, seq: number): ArchiveWrite => ({
  progress: null,
  conversations: [],
  members: [],
  skips: [],
  amendments: [],
  blocks: [
    {
      conversation,
      firstSeq: seq,
      lastSeq: seq,
      firstAt: seq,
      lastAt: seq,
      format: 1,
      rev: 0,
      texts: [`{"seq":${seq}}`],
    },
  ],
});

export const allSeqs = async (store: HistoryStore, conversation: string): Promise<number[]> =>
  (await store.blocks(conversation, 1, 1_000_000, 'oldest', 1_000_000)).map(({ firstSeq }) => firstSeq);

export const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
