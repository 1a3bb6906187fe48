import type { HistoryStore } from '../../shared/history/store.ts';
import type { MessageEntry } from '../../shared/model/entry.ts';
import { createArchive } from '../../workers/archive/archive.ts';

/** The handler of the group `history` over a store, without Redis. What it logs as errors goes into `errors`. */
export function archiveWithoutRedis(history: HistoryStore, errors: object[]) {
  return createArchive({
    history,
    read: () => Promise.reject(new Error('not asked')),
    founders: () => {
      throw new Error('not asked');
    },
    bury: () => Promise.reject(new Error('nothing to bury')),
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (line: object) => void errors.push(line),
    },
  });
}

/** The stream entries of messages `from` to `to` of the conversation `c`. */
export function messageEntries(from: number, to: number): MessageEntry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({
    type: 'message',
    streamId: `${1000 + from + i}-0`,
    conversation: 'c',
    seq: from + i,
    prev: from + i - 1,
    version: 1,
    sender: 'alice',
    device: '-',
    class: 'normal',
    users: ['alice', 'bob'],
    change: null,
    way: 'inboxes',
    at: 1000 + from + i,
    awaitedBy: '',
    tail: `"sender":"alice","clientId":"m-${from + i}","kind":"text","body":${from + i},"class":"normal"}`,
  }));
}
