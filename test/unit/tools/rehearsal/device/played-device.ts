import { afterEach, beforeEach } from 'vitest';
import type { Frame, Item } from '../../../../../sdk/src/wire.ts';
import { connectDevice, type Device, type DeviceOptions } from '../../../../../tools/rehearsal/device/device.ts';
import { type Peer, type PlayedServer, playServer } from '../../../../support/played-server.ts';
import { message } from '../../../sdk/intake/played-intake.ts';

/** A rehearsed device against a server that the test plays frame by frame. */

let server: PlayedServer;
let devices: Device[];

export function playServerForDevices(): void {
  beforeEach(async () => {
    devices = [];
    server = await playServer();
  });
  afterEach(async () => {
    for (const device of devices) device.close();
    await server.close();
  });
}

export const greet = (fields: object = {}): Promise<{ peer: Peer; hello: Frame }> => server.greet(fields);

/** What came, in short. */
export type Watched = { device: Device; items: [seq: number, fresh: boolean][]; gaps: number[]; violations: unknown[] };

export function openDevice(options: Partial<DeviceOptions> = {}): Watched {
  const items: Watched['items'] = [];
  const gaps: number[] = [];
  const violations: unknown[] = [];
  const device = connectDevice({
    url: server.url,
    token: () => 'token',
    device: 'phone',
    reconnect: { minMs: 5, maxMs: 20 },
    holdMs: 20,
    ...options,
    events: {
      item: ({ message: { seq } }, fresh) => items.push([seq, fresh]),
      gap: ({ position }) => gaps.push(position),
      violation: (violation) => violations.push(violation),
      ...options.events,
    },
  });
  devices.push(device);
  return { device, items, gaps, violations };
}

export const item = (position: number | undefined, seq: number): Item => ({
  ...(position === undefined ? {} : { position }),
  message: message(seq),
});

export const accept = (peer: Peer, send: Frame, seq: number): void =>
  peer.say({
    type: 'accepted',
    re: send['id'],
    clientId: send['clientId'],
    message: { id: `${seq}-0`, conversation: 'c', seq, at: 1000 + seq },
    level: 'accepted',
  });

/** Answers the next history request with messages of these seqs; resolves with the request. */
export async function answerHistory(peer: Peer, seqs: number[], more: boolean): Promise<Frame> {
  const request = await peer.next('history');
  const messages = seqs.map((seq) => message(seq));
  peer.say({ type: 'history', re: request['id'], conversation: 'c', messages, more, absent: [] });
  return request;
}
