import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chat } from '../../../cli/chat.ts';
import type { Context } from '../../../cli/command.ts';
import type { Message } from '../../../shared/model/model.ts';
import { type Peer, type PlayedServer, playServer } from '../../support/played-server.ts';

/** The chat of the command line against a server that the test plays: what stands on the screen, and what is sent. */

type Chat = {
  /** What was said, and what was noted, without the clock and the changes of the connection. */
  screen(): string[];
  shows(last: string): Promise<void>;
  type(line: string): void;
  /** Resolves with the exit code. */
  end(): Promise<number>;
  ended: Promise<number>;
};

let server: PlayedServer;
let dir: string;
let chats: Chat[];

beforeEach(async () => {
  chats = [];
  server = await playServer();
  dir = await mkdtemp(join(tmpdir(), 'restante-chat-'));
});
afterEach(async () => {
  await Promise.all(chats.map((one) => one.end()));
  await server.close();
  await rm(dir, { recursive: true });
});

function start(...where: string[]): Chat {
  const ending = new AbortController();
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const lines: string[] = [];
  stdout.on('data', (data: Buffer) => lines.push(...data.toString().trimEnd().split('\n')));
  const context = { stdin, stdout, env: { DATA_DIR: dir }, signal: ending.signal } as unknown as Context;
  const ended = chat.run(['--as', 'alice', '--token', 'token', '--url', server.url, ...where], context);
  const screen = (): string[] =>
    lines
      .map((line) => line.replace(/^[\d:]+ /, '').replace(/^bob: /, ''))
      .filter((line) => !/^\((connected|not connected)/.test(line));
  const one: Chat = {
    screen,
    async shows(last) {
      while (screen().at(-1) !== last) await once(stdout, 'data');
    },
    type: (line) => void stdin.write(`${line}\n`),
    end() {
      ending.abort();
      return ended;
    },
    ended,
  };
  chats.push(one);
  return one;
}

const message = (seq: number): Message => ({
  id: `${seq}-0`,
  conversation: 'team',
  seq,
  at: 1,
  sender: 'bob',
  clientId: `k${seq}`,
  kind: 'text',
  body: `m${seq}`,
  class: 'normal',
});
const live = (...seqs: number[]) => ({
  type: 'deliver',
  items: seqs.map((seq) => ({ position: seq, message: message(seq) })),
});
const gap = (position: number, fromSeq: number, toSeq: number) => ({
  type: 'gap',
  position,
  conversation: 'team',
  fromSeq,
  toSeq,
});

/** Answers every question for the history of messages 1 to `last`, until the connection ends. */
function serveHistory(peer: Peer, last: () => number): void {
  peer.socket.on('message', (data) => {
    const { type, id, after, limit } = JSON.parse(String(data)) as { type: string; id: string } & Record<
      string,
      number
    >;
    if (type !== 'history') return;
    const all = Array.from({ length: last() }, (_, index) => message(index + 1));
    const messages = after === undefined ? all.toReversed().slice(0, limit) : all.slice(after, after + limit!);
    peer.say({ type, re: id, conversation: 'team', messages, more: messages.length < all.length, absent: [] });
  });
}

/** A first start, with a history of so many messages. */
async function startWith(count: number): Promise<{ chat: Chat; peer: Peer; grow(to: number): void }> {
  let last = count;
  const chatting = start('--conversation', 'team');
  const { peer } = await server.greet({ head: 0 });
  serveHistory(peer, () => last);
  await chatting.shows(`m${count}`);
  return { chat: chatting, peer, grow: (to) => void (last = to) };
}

test('shows the newest messages, what comes, and a gap in its place', async () => {
  const { chat: chatting, peer, grow } = await startWith(25);
  grow(29);
  peer.say(live(26));
  peer.say(gap(27, 27, 28));
  peer.say(live(29));
  await chatting.shows('m29');
  peer.say({ type: 'deliver', items: [{ position: 30, message: { ...message(1), conversation: 'other' } }] });
  await chatting.shows('[other] bob: m1');
  expect(chatting.screen()).toEqual([...Array.from({ length: 24 }, (_, index) => `m${index + 6}`), '[other] bob: m1']);
  expect(await chatting.end()).toBe(0);
});

test('goes on where it was: some of before stand above what came meanwhile', async () => {
  const first = await startWith(3);
  first.peer.say(live(4));
  await first.peer.next('received');
  expect(await first.chat.end()).toBe(0);

  const chatting = start('--conversation', 'team');
  // What is here is shown before there is a connection.
  await chatting.shows('m4');
  const { peer, hello } = await server.greet({ head: 5 });
  expect(hello).toMatchObject({ position: 4, epoch: 'e1' });
  peer.say(live(5));
  await chatting.shows('m5');
  expect(chatting.screen()).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);
});

test('a line is sent, and its answer or refusal stands on the screen', async () => {
  const { chat: chatting, peer } = await startWith(1);
  chatting.type('hello');
  const send = await peer.next('send');
  expect(send).toMatchObject({ conversation: 'team', kind: 'text', body: { text: 'hello' } });
  peer.say({
    type: 'accepted',
    re: send['id'],
    clientId: send['clientId'],
    message: { id: '2-0', conversation: 'team', seq: 2, at: 5 },
    level: 'accepted',
  });
  await chatting.shows('alice: hello  (accepted, seq 2)');
  chatting.type('too much');
  const { id } = await peer.next('send');
  peer.say({ type: 'error', re: id, code: 'forbidden', message: 'not a member', retryable: false });
  await chatting.shows('! forbidden: not a member: too much');
  expect(chatting.screen()).toEqual(['m1', 'alice: hello  (accepted, seq 2)', '! forbidden: not a member: too much']);
});

test('what was not accepted is kept, and sent at the next start with the same id', async () => {
  const first = await startWith(1);
  first.chat.type('later');
  const { clientId } = await first.peer.next('send');
  expect(await first.chat.end()).toBe(1);
  expect(first.chat.screen().at(-1)).toBe('! 1 not sent yet: kept until this device is back');

  const chatting = start('--conversation', 'team');
  const { peer } = await server.greet({ head: 0 });
  const again = await peer.next('send');
  expect(again).toMatchObject({ clientId, body: { text: 'later' } });
  peer.say({
    type: 'accepted',
    re: again['id'],
    clientId,
    message: { id: '2-0', conversation: 'team', seq: 2, at: 5 },
    level: 'accepted',
  });
  await chatting.shows('alice: later');
});

test('a conversation that cannot be read ends it, and so does the server', async () => {
  const nowhere = start('--conversation', 'nowhere');
  const { peer } = await server.greet({ head: 0 });
  const { id } = await peer.next('history');
  peer.say({ type: 'error', re: id, code: 'not_found', message: 'no such conversation', retryable: false });
  expect(await nowhere.ended).toBe(1);
  expect(nowhere.screen()).toEqual(['! not_found: no such conversation']);

  const refused = start('--to', 'bob');
  (await server.nextPeer()).socket.close(4403, 'banned');
  expect(await refused.ended).toBe(1);
  expect(refused.screen()).toEqual(['(closed: 4403 banned)']);
});

test('a device that another chat uses already is refused', async () => {
  await startWith(1);
  const second = start('--conversation', 'team');
  expect(await second.ended).toBe(1);
  expect(second.screen()).toEqual([expect.stringMatching(/^\(storage: .* is used by another process\)$/)]);
});
