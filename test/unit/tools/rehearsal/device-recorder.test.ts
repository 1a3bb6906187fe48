import { afterEach, beforeEach, expect, test } from 'vitest';
import { clusterEnv, readOptions } from '../../../../cli/rehearse-irc-options.ts';
import { createDeviceRecorder, fillGaps, type DeviceRecorder } from '../../../../tools/rehearsal/device-recorder.ts';
import { merged } from '../../../../tools/rehearsal/irc/spans.ts';
import { plainMessage } from '../../../support/plain-message.ts';
import { type Peer, type PlayedServer, playServer } from '../../../support/played-server.ts';

/** What one device of a rehearsal writes down, and what the rehearsal tells its cluster. */

let server: PlayedServer;
let recorder: DeviceRecorder;

beforeEach(async () => {
  server = await playServer();
  recorder = createDeviceRecorder({
    url: () => server.url,
    token: () => Promise.resolve('token'),
    user: 'alice',
    deviceId: 'first',
    mode: 'push',
    sleeper: false,
    conversation: 'c',
    reconnect: { minMs: 5, maxMs: 20 },
    random: Math.random,
    intern: (text) => text,
  });
});
afterEach(async () => {
  recorder.device.close();
  await server.close();
});

const live = (...seqs: number[]) => ({ type: 'deliver', items: seqs.map((seq) => ({ message: plainMessage(seq) })) });
const gap = (position: number, fromSeq: number, toSeq: number) => ({
  type: 'gap',
  position,
  conversation: 'c',
  fromSeq,
  toSeq,
});

async function answer(peer: Peer, seqs: number[], more: boolean) {
  const { id, after, limit } = await peer.next('history');
  peer.say({
    type: 'history',
    re: id,
    conversation: 'c',
    messages: seqs.map((seq) => plainMessage(seq)),
    more,
    absent: [],
  });
  return [after, limit];
}

test('items without a position are written down as such, and gaps are filled with what is missing, once', async () => {
  const { peer } = await server.greet();
  peer.say(live(3));
  peer.say(gap(1, 1, 4));
  peer.say({ type: 'deliver', items: [{ position: 2, message: plainMessage(5) }] });
  peer.say(gap(3, 1, 8));
  peer.say(live(9));
  await peer.next('received');
  const { record } = recorder;
  expect(record.arrivals.map(({ seq, position }) => [seq, position])).toEqual([
    [3, null],
    [5, 2],
    [9, null],
  ]);
  const filled = fillGaps(recorder, 'c', (text) => text);
  expect([await answer(peer, [1, 2], true), await answer(peer, [4], true), await answer(peer, [6, 8], true)]).toEqual([
    [0, 2],
    [3, 1],
    [5, 3],
  ]);
  await filled;
  expect(record.asked).toEqual([
    { fromSeq: 1, toSeq: 2 },
    { fromSeq: 4, toSeq: 4 },
    { fromSeq: 6, toSeq: 8 },
  ]);
  expect([...record.filled.keys()]).toEqual([1, 2, 4, 6, 8]);
  expect(record.filled.get(6)).toBe(JSON.stringify(plainMessage(6)));
  expect(record.violations).toEqual([]);
  expect([7, 8, 9].map(recorder.has)).toEqual([false, true, true]);
});

test('a gap over what is there already asks for nothing', async () => {
  const { peer } = await server.greet();
  peer.say(live(1, 2, 3));
  peer.say(gap(1, 1, 3));
  await peer.next('received');
  await fillGaps(recorder, 'c', (text) => text);
  expect(recorder.record).toMatchObject({ gaps: [{ fromSeq: 1, toSeq: 3 }], asked: [], filled: new Map() });
  expect(peer.frames.filter(({ type }) => type === 'history')).toEqual([]);
});

test('the same item twice without a position is noticed by the device itself', async () => {
  const { peer } = await server.greet();
  peer.say(live(1, 1));
  peer.say(gap(1, 1, 1));
  await peer.next('received');
  expect(recorder.record.violations).toEqual(['repeated {"conversation":"c","seq":1,"positions":[null,null]}']);
});

test('ranges are merged where they overlap or touch', () => {
  expect(
    merged([
      { fromSeq: 9, toSeq: 9 },
      { fromSeq: 1, toSeq: 6 },
      { fromSeq: 2, toSeq: 3 },
      { fromSeq: 7, toSeq: 7 },
    ]),
  ).toEqual([
    { fromSeq: 1, toSeq: 7 },
    { fromSeq: 9, toSeq: 9 },
  ]);
});

test('--fanout-max is told to the processes of the cluster, and without it they are told nothing', () => {
  const env = { PATH: '/somewhere', HOME: '/home' };
  expect(clusterEnv(readOptions(['file', '--fanout-max', '20']), env)).toEqual({
    INBOX_MAX_ENTRIES: '200',
    FANOUT_MAX_MEMBERS: '20',
    PATH: '/somewhere',
  });
  expect(clusterEnv(readOptions(['file']), env)).toEqual({ INBOX_MAX_ENTRIES: '200', PATH: '/somewhere' });
});

test.each([
  [['--fanout-max', '0'], '--fanout-max must be a whole number from 1 to 100000'],
  [['--fanout-max', '100001'], '--fanout-max must be a whole number from 1 to 100000'],
  [['--fanout-max', 'few'], '--fanout-max must be a whole number from 1 to 100000'],
  [['--fanout-max', '20', '--url', 'ws://127.0.0.1:1'], '--fanout-max needs a cluster of its own'],
])('%j is refused', (args, sentence) => {
  expect(() => readOptions(['file', ...args])).toThrow(sentence);
});
