import { afterEach, beforeEach } from 'vitest';
import WebSocket from 'ws';
import type { Client, ClientOptions } from '../../../../sdk/src/client/api.ts';
import { createClient } from '../../../../sdk/src/client/client.ts';
import type { ViewItem } from '../../../../sdk/src/view/message-view.ts';
import { type Peer, type PlayedServer, playServer } from '../../../support/played-server.ts';
import { message } from '../intake/played-intake.ts';

/** A client against a server that the test plays frame by frame. */

let server: PlayedServer;
let clients: Client[];

export function playServerForClients(): void {
  beforeEach(async () => {
    clients = [];
    server = await playServer();
  });
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await server.close();
  });
}

export const played = (): PlayedServer => server;

export type PlayedClient = { client: Client; log: string[] };

export function openClient(options: Partial<ClientOptions> = {}): PlayedClient {
  const log: string[] = [];
  const client = createClient({
    url: server.url,
    getToken: () => 'token',
    device: 'phone',
    webSocket: WebSocket,
    random: () => 0,
    ...options,
  });
  clients.push(client);
  client.on('message', ({ message: { seq }, live }) => log.push(live ? String(seq) : `(${seq})`));
  client.on('failed', ({ code }) => log.push(`failed ${code}`));
  client.on('accepted', ({ message: { seq } }) => log.push(`accepted ${seq}`));
  client.on('amended', ({ message: { seq } }) => log.push(`amended ${seq}`));
  client.on('fault', ({ error, where }) => log.push(`fault ${where}: ${error.message}`));
  return { client, log };
}

export async function connected(options: Partial<ClientOptions> = {}, welcome: object = {}) {
  const opened = openClient(options);
  const ready = opened.client.connect();
  const { peer, hello } = await server.greet({ head: 0, ...welcome });
  await ready;
  return { ...opened, peer, hello };
}

export const deliver = (peer: Peer, ...seqs: number[]): void =>
  peer.say({ type: 'deliver', items: seqs.map((seq) => ({ position: seq, message: message(seq) })) });

export async function accept(peer: Peer, seq: number, at = 5000): Promise<void> {
  const send = await peer.next('send');
  const conversation = (send['conversation'] as string | undefined) ?? 'c';
  peer.say({
    type: 'accepted',
    re: send['id'],
    clientId: send['clientId'],
    message: { id: `${seq}-0`, conversation, seq, at },
    level: 'accepted',
  });
}

export async function history(peer: Peer, seqs: number[], fields: object = {}): Promise<Record<string, unknown>> {
  const request = await peer.next('history');
  peer.say({
    type: 'history',
    re: request['id'],
    conversation: 'c',
    messages: seqs.map((seq) => message(seq)),
    more: false,
    absent: [],
    ...fields,
  });
  return request;
}

/** A view in short: seqs, texts of what waits, and holes. */
export const inShort = (items: readonly ViewItem[]): unknown[] =>
  items.map((item) => {
    if ('hole' in item) return `${item.hole.fromSeq}-${item.hole.toSeq} ${item.state}`;
    return item.status === 'accepted' ? item.seq : `${item.status} ${String(item.body)}`;
  });
