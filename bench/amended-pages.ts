/**
 * `node bench/amended-pages.ts`: what amendments cost the pages of inboxes. Three users have 200 entries on their first
 * page: one without amendments, one with 64 edited messages, and one whose 200 messages were all edited. Their pages
 * are read in turn, in short slices. A page's cost is the CPU time of the gateway and of Redis, so other work of the
 * machine does not count.
 *
 *   --before DIR   another checkout of this repository, to compare all of these pages with its pages without amendments
 *   --seconds N    per user and round (4)
 *   --repeat N     rounds (5); the medians of their ratios are reported
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startCheckout } from './checkout.ts';
import type { Server } from './cluster.ts';
import { machine } from './machine.ts';
import {
  type Client,
  compareReaders,
  createClient,
  type Filling,
  fillConversation,
  readFor,
  type Reader,
} from './page-reader.ts';

const pageItems = 200;
const firstPage = `/inbox?after=0&limit=${pageItems}`;

/** Fills the inbox of `user`, and resolves once it has everything. */
async function fillInbox(writer: Client, reader: Client, user: string, filling: Filling): Promise<void> {
  await fillConversation(writer, user, filling);
  for (let head = 0; head < filling.messages + filling.amended;) {
    const last = await reader.ask('GET', `/inbox?after=${head}&limit=${pageItems}`);
    head = (JSON.parse(last) as { next: number }).next;
  }
}

const { values } = parseArgs({
  options: {
    before: { type: 'string' },
    seconds: { type: 'string', default: '4' },
    repeat: { type: 'string', default: '5' },
  },
});
const [seconds, repeat] = [Number(values.seconds), Number(values.repeat)];

const server = await startCheckout(join(import.meta.dirname, '..'));
const before = values.before === undefined ? null : await startCheckout(values.before);
try {
  console.log(machine());
  const readers = new Map<string, Reader>();
  /** Adds a user. Resolves the size of its first page. */
  async function add(name: string, on: Server, filling: Omit<Filling, 'length'>, length = 100): Promise<number> {
    const [writer, reader] = [createClient(on, 'writer'), createClient(on, name)];
    await fillInbox(writer, reader, name, { ...filling, length });
    writer.close();
    const added = { client: reader, server: on, path: firstPage };
    readers.set(name, added);
    await readFor(added, 1000);
    return (await reader.ask('GET', firstPage)).length;
  }
  const plain = { messages: pageItems, amended: 0 };
  const bytes = await add('without', server, plain);
  const someBytes = await add('some', server, { messages: pageItems - 64, amended: 64 });
  const allBytes = await add('all', server, { messages: pageItems, amended: pageItems });
  await add('as-some', server, plain, 100 + Math.round((someBytes - bytes) / pageItems));
  await add('as-all', server, plain, 100 + Math.round((allBytes - bytes) / pageItems));
  if (before !== null) await add('before', before, plain);
  const ratio = await compareReaders(readers, { seconds, repeat });
  const ratios = {
    some_to_without: ratio('some', 'without'),
    all_to_without: ratio('all', 'without'),
    some_to_as_large: ratio('some', 'as-some'),
    all_to_as_large: ratio('all', 'as-all'),
    ...(before === null
      ? {}
      : {
          without_to_before: ratio('without', 'before'),
          some_to_before: ratio('some', 'before'),
          all_to_before: ratio('all', 'before'),
        }),
  };
  console.log(JSON.stringify({ machine: machine(), pages: pageItems, seconds, repeat, ratios }));
  for (const { client } of readers.values()) client.close();
} finally {
  await Promise.all([server.stop(), before?.stop()]);
}
