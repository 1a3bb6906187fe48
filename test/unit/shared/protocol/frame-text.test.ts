import { describe, expect, test } from 'vitest';
import { Refusal } from '../../../../shared/model/errors.ts';
import { levels } from '../../../../shared/model/levels.ts';
import {
  acceptedFrame,
  amendedFrame,
  deliverFrame,
  drainFrame,
  errorFrame,
  gapFrame,
  historyFrame,
  itemText,
  largeItemText,
  okFrame,
  pageFrame,
  pongFrame,
  presenceFrame,
  readFrame,
  readsFrame,
  receiptFrame,
  receiptsFrame,
  settingsFrame,
  typingFrame,
  welcomeFrame,
} from '../../../../shared/protocol/frame-text.ts';
import { serverFrames } from '../../../../shared/protocol/server-frames.ts';

const message = {
  id: '1-1',
  conversation: 'team',
  seq: 1,
  at: 1000,
  sender: 'alice',
  clientId: 'c1',
  kind: 'text',
  body: { text: 'a "quoted" word' },
  class: 'normal',
};
const text = JSON.stringify(message);
const accepted = { id: '1-1', conversation: 'team', seq: 1, at: 1000 };
const amended = {
  conversation: 'team',
  seq: 1,
  action: 'edit' as const,
  by: 'alice',
  at: 1000,
  version: 2,
  amendSeq: 5,
  accepted: { ...accepted, duplicate: true },
};
const gap = { position: 2, conversation: 'team', fromSeq: 2, toSeq: 4 };
const page = { items: [{ position: 1, text, device: '' }], gaps: [gap], next: 2, more: false, epoch: 'e' };
const limits = {
  maxBodyBytes: 1,
  maxFrameBytes: 1,
  pageItems: 1,
  pageBytes: 1,
  sendPerSecond: 1,
  receiveWithinMs: 1,
  levels: [...levels],
  recallWithinMs: 0,
  editWithinMs: 0,
};
const welcome = {
  user: 'alice',
  device: 'phone',
  epoch: 'e',
  position: 0,
  head: 1,
  unread: { total: 0, conversations: [], more: false },
  features: ['push'],
  heartbeatMs: 25_000,
  expiresAt: 2000,
  limits,
};

const frames: [keyof typeof serverFrames, (re: string | undefined) => string][] = [
  ['welcome', (re) => welcomeFrame(re, welcome)],
  ['accepted', (re) => acceptedFrame(re, 'c1', { ...accepted, duplicate: true }, 'stored')],
  ['amended', (re) => amendedFrame(re, amended, 'durable')],
  ['deliver', () => deliverFrame([itemText(1, text), largeItemText(text)].join(','))],
  ['gap', () => gapFrame(gap)],
  ['page', (re) => pageFrame(re, page)],
  ['history', (re) => historyFrame(re, { conversation: 'team', messages: [text], more: false, absent: [] })],
  ['read', (re) => readFrame(re, 'team', 3)],
  ['reads', (re) => readsFrame(re, [{ conversation: 'team', readSeq: 3, unread: 0 }])],
  ['receipt', () => receiptFrame('team', 'bob', 'read', 3)],
  ['receipts', (re) => receiptsFrame(re, 'team', [{ user: 'bob', receivedSeq: 4, readSeq: 3 }])],
  ['ok', (re) => okFrame(re, 2000)],
  ['pong', (re) => pongFrame(re, 7, 'an "epoch"', 2000)],
  ['presence', (re) => presenceFrame(re, [['bob', { online: true, lastSeen: null }]])],
  ['typing', () => typingFrame('team', 'alice', true)],
  ['settings', () => settingsFrame(8, { receipts: false })],
  ['drain', () => drainFrame(500)],
  ['error', (re) => errorFrame(re, undefined, new Refusal('bad_frame', 'not JSON'))],
];

describe('frames as text', () => {
  test('covers every frame of the protocol', () => {
    expect(frames.map(([type]) => type).sort()).toEqual(Object.keys(serverFrames).sort());
  });

  test.each(frames)('writes %s as its schema describes it, with nothing else', (type, make) => {
    const frame: unknown = JSON.parse(make(undefined));
    expect(frame).toMatchObject({ type });
    expect(serverFrames[type].strict().parse(frame)).toEqual(frame);
  });

  test.each(frames.filter(([type]) => 're' in serverFrames[type].shape))('repeats the request id in %s', (_, make) => {
    expect(JSON.parse(make('7'))).toMatchObject({ re: '7' });
  });
});
