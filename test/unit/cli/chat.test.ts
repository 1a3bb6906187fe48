import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chat } from '../../../cli/chat.ts';
import { rangesText } from '../../../cli/chat/view.ts';
import type { Context } from '../../../cli/command.ts';
import type { Message } from '../../../shared/model/model.ts';
import { type Peer, type PlayedServer, playServer } from '../../support/played-server.ts';

/**
 * The chat of the command line against a server that the test plays: what stands on the screen, and what is asked for.
 */

let server: PlayedServer;
let dir: string;
let ending: AbortController;
let ended: Promise<number>;
let lines: string[];
let output: PassThrough;

beforeEach(async () => {
  server = await playServer();
  dir = await mkdtemp(join(tmpdir(), 'restante-chat-'));
  ending = new AbortController();
  lines = [];
  output = new PassThrough();
  output.on('data', (data: Buffer) => lines.push(...data.toString().trimEnd().split('\n')));
  const context = {
    stdin: new PassThrough(),
    stdout: output,
    env: { DATA_DIR: dir },
    signal: ending.signal,
  } as unknown as Context;
  ended = chat.run(['--as', 'alice', '--conversation', 'team', '--token', 'token', '--url', server.url], context);
});
afterEach(async () => {
  ending.abort();
  await ended;
  await server.close();
  await rm(dir, { recursive: true });
});

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
const live = (...seqs: number[]) => ({ type: 'deliver', items: seqs.map((seq) => ({ message: message(seq) })) });
const gap = (position: number, fromSeq: number, toSeq: number) => ({
  type: 'gap',
  position,
  conversation: 'team',
  fromSeq,
  toSeq,
});

async function answer(peer: Peer, seqs: number[], more: boolean) {
  const { id, type: _, ...request } = await peer.next('history');
  peer.say({ type: 'history', re: id, conversation: 'team', messages: seqs.map(message), more, absent: [] });
  return request;
}

/** What was said, and what was noted in brackets, without the clock. */
const screen = (): string[] =>
  lines.map((line) => line.replace(/^[\d:]+ bob: /, '')).filter((line) => !line.startsWith('(connected'));
async function shows(last: string): Promise<void> {
  while (screen().at(-1) !== last) await once(output, 'data');
}

test('a gap that comes before the history stands below it, with what is missing only', async () => {
  const { peer } = await server.greet();
  peer.say(gap(1, 2, 6));
  peer.say(live(7));
  expect(await peer.next('received')).toMatchObject({ position: 1 });
  expect(await answer(peer, [6, 5, 4], true)).toEqual({ conversation: 'team', limit: 20 });
  expect(await answer(peer, [2, 3], true)).toEqual({ conversation: 'team', after: 1, limit: 2 });
  await shows('m3');
  expect(screen()).toEqual(['m4', 'm5', 'm6', 'm7', '(messages 2 to 3 of team are in the history only)', 'm2', 'm3']);
});

test('a gap over what stands there says nothing and asks nothing; one over more says what is missing', async () => {
  const { peer } = await server.greet();
  await answer(peer, [3, 2, 1], false);
  peer.say(live(4, 6));
  peer.say(gap(1, 1, 4));
  peer.say(gap(2, 3, 8));
  peer.say(gap(3, 3, 8));
  expect(await answer(peer, [5], true)).toEqual({ conversation: 'team', after: 4, limit: 1 });
  expect(await answer(peer, [7, 8], false)).toEqual({ conversation: 'team', after: 6, limit: 2 });
  await shows('m8');
  peer.say(live(9));
  await shows('m9');
  expect(screen()).toEqual([
    'm1',
    'm2',
    'm3',
    'm4',
    'm6',
    '(messages 5, 7 to 8 of team are in the history only)',
    'm5',
    'm7',
    'm8',
    'm9',
  ]);
  expect(peer.frames.filter(({ type }) => type === 'history')).toHaveLength(3);
});

test('ranges in words', () => {
  expect(
    rangesText([
      { fromSeq: 1, toSeq: 1 },
      { fromSeq: 3, toSeq: 9 },
    ]),
  ).toBe('1, 3 to 9');
});
