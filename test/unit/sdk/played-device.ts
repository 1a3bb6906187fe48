import { afterEach, beforeEach } from 'vitest';
import type { Device, DeviceEvents, DeviceOptions } from '../../../sdk/src/api.ts';
import { connect } from '../../../sdk/src/device.ts';
import type { Violation } from '../../../sdk/src/tracker.ts';
import type { Frame, Item } from '../../../sdk/src/wire.ts';
import { type Peer, type PlayedServer, playServer } from '../../support/played-server.ts';

/**
 * The device against a server that the test plays itself, frame by frame: what it does after refusals, closes, drains
 * and resets cannot be provoked at a real gateway at the wanted moment.
 */

let server: PlayedServer;
let devices: Device[];

/** Each test of the file has a server of its own, and its devices are closed after it. */
export function playOneServerEach(): void {
  beforeEach(async () => {
    devices = [];
    server = await playServer();
  });
  afterEach(async () => {
    await Promise.all(devices.map((device) => device.close()));
    await server.close();
  });
}

export const nextPeer = (): Promise<Peer> => server.nextPeer();

export function open(options: DeviceOptions = {}, token: () => string = () => 'token'): Device {
  const device = connect(server.url, token, 'phone', {
    reconnect: { minMs: 5, maxMs: 20 },
    receivedDelayMs: 20,
    ...options,
  });
  devices.push(device);
  return device;
}

export const greet = (fields: object = {}): Promise<{ peer: Peer; hello: Frame }> => server.greet(fields);

export const item = (position: number | undefined, seq: number, id = `${seq}-0`): Item => ({
  ...(position === undefined ? {} : { position }),
  message: {
    id,
    conversation: 'c',
    seq,
    at: 1,
    sender: 'bob',
    clientId: `k${seq}`,
    kind: 'text',
    body: seq,
    class: 'normal',
  },
});

export const accept = (peer: Peer, send: Frame, seq: number, more: object = {}): void =>
  peer.say({
    type: 'accepted',
    re: send['id'],
    clientId: send['clientId'],
    message: { id: `${seq}-0`, conversation: 'c', seq, at: 1000 + seq },
    ...more,
  });

/** Answers the next history request with messages of these seqs; resolves with the request. */
export async function answerHistory(peer: Peer, seqs: number[], fields: object = {}): Promise<Frame> {
  const request = await peer.next('history');
  peer.say({
    type: 'history',
    re: request['id'],
    conversation: 'c',
    messages: seqs.map((seq) => item(undefined, seq).message),
    more: false,
    absent: [],
    ...fields,
  });
  return request;
}

export function watch() {
  const log = {
    items: [] as [number, boolean][],
    violations: [] as Violation[],
    gaps: [] as number[],
    states: [] as string[],
  };
  const events: DeviceEvents = {
    item: ({ message }, fresh) => log.items.push([message.seq, fresh]),
    violation: (violation) => log.violations.push(violation),
    gap: ({ position }) => log.gaps.push(position),
    state: (state) => log.states.push(state),
  };
  return { log, events };
}

export const draft = (body: unknown, conversation = 'c') => ({ conversation, kind: 'text', body });
