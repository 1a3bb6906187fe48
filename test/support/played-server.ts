import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Frame } from '../../sdk/src/wire.ts';

/** One connection, as its server sees it. */
export type Peer = { socket: WebSocket; frames: Frame[]; next(type: string): Promise<Frame>; say(frame: object): void };

function playPeer(socket: WebSocket): Peer {
  const unread: Frame[] = [];
  const readers: { type: string; resolve(frame: Frame): void }[] = [];
  const frames: Frame[] = [];
  socket.on('message', (data) => {
    const frame = JSON.parse(String(data)) as Frame;
    frames.push(frame);
    const reader = readers.findIndex(({ type }) => type === frame.type);
    if (reader >= 0) readers.splice(reader, 1)[0]!.resolve(frame);
    else unread.push(frame);
  });
  return {
    socket,
    frames,
    next(type) {
      const at = unread.findIndex((frame) => frame.type === type);
      if (at >= 0) return Promise.resolve(unread.splice(at, 1)[0]!);
      return new Promise((resolve) => readers.push({ type, resolve }));
    },
    say: (frame) => socket.send(JSON.stringify(frame)),
  };
}

export const welcome = {
  user: 'alice',
  device: 'phone',
  epoch: 'e1',
  position: 0,
  head: 9,
  unread: {},
  features: [],
  heartbeatMs: 25_000,
  expiresAt: Date.now() + 1e6,
  limits: {},
};

/** A gateway that does nothing by itself: the test sends every frame. `html` is its response to a browser. */
export async function playServer(html = '') {
  const peers: Peer[] = [];
  const waiting: ((peer: Peer) => void)[] = [];
  const http = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(html));
  const sockets = new WebSocketServer({ server: http, handleProtocols: (offered) => [...offered][0] ?? false });
  sockets.on('connection', (socket) => {
    const peer = playPeer(socket);
    const next = waiting.shift();
    if (next === undefined) peers.push(peer);
    else next(peer);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const host = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  const nextPeer = (): Promise<Peer> => {
    const peer = peers.shift();
    return peer === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(peer);
  };
  return {
    url: `ws://${host}`,
    httpUrl: `http://${host}`,
    nextPeer,
    /** Takes the next connection and welcomes it. */
    async greet(fields: object = {}): Promise<{ peer: Peer; hello: Frame }> {
      const peer = await nextPeer();
      const hello = await peer.next('hello');
      peer.say({ type: 'welcome', re: hello['id'], ...welcome, ...fields });
      return { peer, hello };
    },
    async close(): Promise<void> {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

export type PlayedServer = Awaited<ReturnType<typeof playServer>>;
