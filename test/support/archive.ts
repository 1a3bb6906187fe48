import type { HistoryStore } from '../../shared/history/store.ts';
import type { AmendedEntry, Entry, MessageEntry } from '../../shared/model/entry.ts';
import { createArchive } from '../../workers/archive/archive.ts';
import type { Pace } from '../../workers/archive/pace.ts';

/**
 * The handler of the group `history` over a store, without Redis. What it logs as errors goes into `errors`. Its epoch
 * counts only where the store has a deployment row.
 */
export function archiveWithoutRedis(
  history: HistoryStore,
  errors: object[],
  pace?: Pick<Pace, 'packs' | 'stored' | 'awaited'>,
) {
  const archive = createArchive({
    history,
    ...(pace === undefined ? {} : { pace }),
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
  return {
    handle: (partition: number, entries: Entry[], repeated: boolean, epoch = 'e') =>
      archive.handle(partition, entries, repeated, epoch),
    settlePoison: (partition: number, entry: Entry) => archive.settlePoison(partition, entry, 'e'),
  };
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
    short: false,
    tail: `"sender":"alice","clientId":"m-${from + i}","kind":"text","body":${from + i},"class":"normal"}`,
  }));
}

/** The stream entry of an amendment: the message `seq` of the conversation `c` edits the message `target`. */
export const amendedEntry = (seq: number, target: number, body: string | null = `"edited by ${seq}"`): AmendedEntry => {
  const [message] = messageEntries(seq, seq) as [MessageEntry];
  const { change: _, ...common } = message;
  const action = body === null ? 'recall' : 'edit';
  const amends = `{"seq":${target},"action":"${action}","version":1}`;
  return {
    ...common,
    type: 'amended',
    target,
    targetVersion: 1,
    action,
    body,
    tail: `"sender":"alice","clientId":"m-${seq}","kind":"restante.amend","body":${amends},"class":"normal"}`,
  };
};
