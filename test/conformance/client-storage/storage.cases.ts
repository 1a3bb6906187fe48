import type { OutboxEntry } from '../../../sdk/src/outbox/entry.ts';
import { indexRowOf } from '../../../sdk/src/storage/index-row.ts';
import { newRow } from '../../../sdk/src/storage/row.ts';
import type { ConversationRow, IndexRow, Storage } from '../../../sdk/src/storage/storage.ts';
import type { Message } from '../../../sdk/src/wire.ts';

/** What every storage of the client must do. Without a test library, because it runs in a browser too. */
export type StorageCase = { name: string; persistent?: true; run(open: () => Storage): Promise<void> };

function check(what: string, actual: unknown, expected: unknown): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (found !== wanted) throw new Error(`${what}: ${found} instead of ${wanted}`);
}

const message = (conversation: string, seq: number, body: unknown = `m${seq}`): Message => ({
  id: `${seq}-0`,
  conversation,
  seq,
  at: 1000 + seq,
  sender: 'bob',
  clientId: `k${seq}`,
  kind: 'text',
  body,
  class: 'normal',
});
const messages = (conversation: string, from: number, to: number): Message[] =>
  Array.from({ length: to - from + 1 }, (_, index) => message(conversation, from + index));
const line = (conversation: string, seq: number): IndexRow => indexRowOf(message(conversation, seq));
const lines = (conversation: string, from: number, to: number): IndexRow[] =>
  messages(conversation, from, to).map(indexRowOf);
const row = (id: string, at: number, more: Partial<ConversationRow> = {}): ConversationRow => ({
  ...newRow(id, 'e1'),
  at,
  ...more,
});
const entry = (clientId: string, order: number): OutboxEntry => ({
  clientId,
  lane: 'c',
  type: 'send',
  kind: 'text',
  body: { text: clientId },
  class: 'normal',
  priority: 'normal',
  order,
  queuedAt: 1,
  state: 'queued',
  attempts: 0,
});
const meta = { user: 'alice', device: 'phone', position: 7, epoch: 'e1' };
const seqsOf = (all: Message[]): number[] => all.map(({ seq }) => seq);

export const storageCases: StorageCase[] = [
  {
    name: 'is empty at first',
    async run(open) {
      const storage = open();
      check('open', await storage.open(), null);
      check('list', await storage.list(9), []);
      check('conversation', await storage.conversation('c'), null);
      check('read', await storage.read('c', 1, 9, 9), []);
      check('outbox', await storage.outbox(), []);
    },
  },
  {
    name: 'gives back what was written, and the last of it',
    async run(open) {
      const storage = open();
      await storage.open();
      const present = [{ fromSeq: 1, toSeq: 2 }];
      await storage.write({ meta, conversations: [row('c', 5, { present })], messages: messages('c', 1, 2) });
      await storage.write({ messages: [message('c', 2, { deep: [null, 1, '\u202e \ud83d\ude00'] })] });
      check('open', await storage.open(), { ...meta, term: 0 });
      check('conversation', await storage.conversation('c'), row('c', 5, { present }));
      check(
        'read',
        (await storage.read('c', 1, 9, 9)).map(({ body }) => body),
        ['m1', { deep: [null, 1, '\u202e \ud83d\ude00'] }],
      );
    },
  },
  {
    name: 'reads ranges rising, from either end, of one conversation',
    async run(open) {
      const storage = open();
      await storage.open();
      await storage.write({ messages: [...messages('c', 1, 30), ...messages('c2', 1, 3), ...messages('b', 5, 6)] });
      check('lowest', seqsOf(await storage.read('c', 3, 20, 4)), [3, 4, 5, 6]);
      check('newest', seqsOf(await storage.read('c', 3, 20, 4, true)), [17, 18, 19, 20]);
      check('all', (await storage.read('c', 1, Number.MAX_SAFE_INTEGER, 100)).length, 30);
      check('none', await storage.read('c', 31, 40, 9), []);
    },
  },
  {
    name: 'lists the newest conversations first',
    async run(open) {
      const storage = open();
      await storage.open();
      await storage.write({ conversations: [row('a', 1), row('b', 3), row('c', 2)] });
      check(
        'two',
        (await storage.list(2)).map(({ id }) => id),
        ['b', 'c'],
      );
      await storage.write({ conversations: [row('a', 9)] });
      check(
        'moved',
        (await storage.list(9)).map(({ id }) => id),
        ['a', 'b', 'c'],
      );
    },
  },
  {
    name: 'keeps the outbox in the order of sending',
    async run(open) {
      const storage = open();
      await storage.open();
      await storage.write({ outbox: { put: [entry('z', 1), entry('a', 3), entry('m', 2)] } });
      check(
        'order',
        (await storage.outbox()).map(({ clientId }) => clientId),
        ['z', 'm', 'a'],
      );
      await storage.write({ outbox: { put: [{ ...entry('z', 1), state: 'accepted' }], drop: ['m'] } });
      check(
        'after',
        (await storage.outbox()).map(({ clientId, state }) => [clientId, state]),
        [
          ['z', 'accepted'],
          ['a', 'queued'],
        ],
      );
    },
  },
  {
    name: 'lets messages leave with the change of their ranges',
    async run(open) {
      const storage = open();
      await storage.open();
      await storage.write({ messages: messages('c', 1, 10) });
      const present = [{ fromSeq: 8, toSeq: 10 }];
      await storage.write({
        conversations: [row('c', 1, { present })],
        evict: [{ conversation: 'c', fromSeq: 1, toSeq: 7 }],
      });
      check('rest', seqsOf(await storage.read('c', 1, 99, 99)), [8, 9, 10]);
      check('ranges', (await storage.conversation('c'))?.present, present);
    },
  },
  {
    name: 'lets messages leave before it stores those of the same batch',
    async run(open) {
      const storage = open();
      await storage.open();
      await storage.write({ messages: messages('c', 1, 5), index: { put: lines('c', 1, 5) } });
      const all = [{ conversation: 'c', fromSeq: 1, toSeq: 5 }];
      await storage.write({
        messages: [message('c', 3)],
        evict: all,
        index: { put: [line('c', 4)], drop: all },
      });
      check('messages', seqsOf(await storage.read('c', 1, 9, 9)), [3]);
      check(
        'index',
        (await storage.index('c', 1, 9, 9)).map(({ seq }) => seq),
        [4],
      );
    },
  },
  {
    name: 'keeps a line of messages that have left',
    async run(open) {
      const storage = open();
      await storage.open();
      await storage.write({ index: { put: [...lines('c', 1, 30), ...lines('b', 5, 6)] } });
      await storage.write({ index: { put: [{ ...line('c', 20), summary: 'new' }] } });
      check('newest', await storage.index('c', 1, 20, 2), [line('c', 19), { ...line('c', 20), summary: 'new' }]);
      check('none', await storage.index('c', 31, 40, 9), []);
      await storage.write({ index: { drop: [{ conversation: 'c', fromSeq: 1, toSeq: 29 }] } });
      check('left', await storage.index('c', 1, 99, 99), [line('c', 30)]);
      check('others', (await storage.index('b', 1, 99, 99)).length, 2);
      await storage.erase();
      check('erased', await storage.index('b', 1, 99, 99), []);
    },
  },
  {
    name: 'stores a batch whole or not at all',
    persistent: true,
    async run(open) {
      const storage = open();
      await storage.open();
      // A function can neither be cloned nor written as JSON: what stands before it must not stay.
      const broken: Message = { ...message('c', 2), id: 5n as never, body: () => {} };
      let failed = false;
      await storage.write({ meta, messages: [message('c', 1), broken] }).catch(() => (failed = true));
      check('failed', failed, true);
      check('open', await storage.open(), null);
      check('read', await storage.read('c', 1, 9, 9), []);
      await storage.write({ messages: [message('c', 1)] });
      check('goes on', seqsOf(await storage.read('c', 1, 9, 9)), [1]);
    },
  },
  {
    name: 'keeps the newest term of a writer, and says it',
    async run(open) {
      const storage = open();
      await storage.open();
      await storage.write({ term: 2 });
      check('without a place', await storage.open(), { user: null, device: '', position: 0, epoch: null, term: 2 });
      await storage.write({ term: 2, meta });
      await storage.write({ meta: { ...meta, position: 8 } });
      check('with one', await storage.open(), { ...meta, position: 8, term: 2 });
      await storage.write({ term: 5, messages: [message('c', 1)] });
      check('newer', (await storage.open())?.term, 5);
    },
  },
  {
    name: 'stores nothing of a writer that was replaced',
    async run(open) {
      const storage = open();
      await storage.open();
      await storage.write({ term: 3, meta });
      const names: string[] = [];
      const late = { term: 2, meta: { ...meta, position: 99 }, messages: [message('c', 1)] };
      await storage.write({ ...late, outbox: { put: [entry('x', 1)] } }).catch(({ name }) => names.push(name));
      check('rejected', names, ['StorageFenced']);
      check('open', await storage.open(), { ...meta, term: 3 });
      check('read', await storage.read('c', 1, 9, 9), []);
      check('outbox', await storage.outbox(), []);
      // Whoever names no term only adds: a page without the connection stores what its user writes.
      await storage.write({ outbox: { put: [entry('x', 1)] } });
      await storage.write({ term: 3, messages: [message('c', 1)] });
      check('goes on', [(await storage.outbox()).length, seqsOf(await storage.read('c', 1, 9, 9))], [1, [1]]);
    },
  },
  {
    name: 'outlives its handle',
    persistent: true,
    async run(open) {
      const first = open();
      await first.open();
      await first.write({ meta, messages: messages('c', 1, 3), outbox: { put: [entry('x', 1)] } });
      await first.close();
      const second = open();
      check('open', await second.open(), { ...meta, term: 0 });
      check('read', seqsOf(await second.read('c', 1, 9, 9)), [1, 2, 3]);
      check('outbox', (await second.outbox()).length, 1);
    },
  },
  {
    name: 'forgets everything when it is told to',
    async run(open) {
      const storage = open();
      await storage.open();
      await storage.write({ meta, conversations: [row('c', 1)], messages: messages('c', 1, 3) });
      await storage.erase();
      check('open', await storage.open(), null);
      check('read', await storage.read('c', 1, 9, 9), []);
      check('list', await storage.list(9), []);
    },
  },
  {
    name: 'holds 200 rows in a batch, and 2,000 in ten',
    async run(open) {
      const storage = open();
      await storage.open();
      for (let from = 1; from <= 2000; from += 200) await storage.write({ messages: messages('c', from, from + 199) });
      check('all', (await storage.read('c', 1, 2000, 5000)).length, 2000);
    },
  },
];
