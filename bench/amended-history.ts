/**
 * `node bench/amended-history.ts`: what amendments cost the pages of history. Two conversations have 400 messages each;
 * in one of them the oldest 100 were all edited. Pages of 100 are read in turn: the oldest come from the store, the
 * newest are kept in Redis. A page's cost is the CPU time of the gateway and of Redis.
 *
 *   --before DIR   another checkout of this repository, to compare the newest page without amendments with
 *   --seconds N    per page and round (2)
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
  fillConversation,
  readFor,
  type Reader,
  untilStored,
} from './page-reader.ts';

const [messages, pageItems] = [400, 100];

const { values } = parseArgs({
  options: {
    before: { type: 'string' },
    seconds: { type: 'string', default: '2' },
    repeat: { type: 'string', default: '5' },
  },
});
const [seconds, repeat] = [Number(values.seconds), Number(values.repeat)];

const servers = [await startCheckout(join(import.meta.dirname, '..'))];
if (values.before !== undefined) servers.push(await startCheckout(values.before));
try {
  const readers = new Map<string, Reader>();
  async function add(name: string, server: Server, path: string): Promise<void> {
    const reader = { client: createClient(server, 'writer'), server, path };
    readers.set(name, reader);
    await readFor(reader, 1000);
  }
  async function pagesOf(on: Client, to: string, amended: number): Promise<{ oldest: string; newest: string }> {
    const conversation = await fillConversation(on, to, { messages, amended, length: 100 });
    const path = `/conversations/${conversation}/messages`;
    return { oldest: `${path}?after=0&limit=${pageItems}`, newest: `${path}?limit=${pageItems}` };
  }
  const [server, before] = servers as [Server, Server?];
  const writer = createClient(server, 'writer');
  const plain = await pagesOf(writer, 'plain', 0);
  const edited = await pagesOf(writer, 'edited', pageItems);
  for (const to of ['plain', 'edited']) await untilStored(writer, to);
  writer.close();
  await add('stored', server, plain.oldest);
  await add('stored-edited', server, edited.oldest);
  await add('kept', server, plain.newest);
  if (before !== undefined) {
    const early = createClient(before, 'writer');
    const { newest } = await pagesOf(early, 'plain', 0);
    await untilStored(early, 'plain');
    await add('before', before, newest);
    early.close();
  }
  const ratio = await compareReaders(readers, { seconds, repeat });
  const ratios = {
    edited_to_stored: ratio('stored-edited', 'stored'),
    ...(before === undefined ? {} : { kept_to_before: ratio('kept', 'before') }),
  };
  console.log(JSON.stringify({ machine: machine(), pages: pageItems, seconds, repeat, ratios }));
  for (const { client } of readers.values()) client.close();
} finally {
  await Promise.all(servers.map((server) => server.stop()));
}
