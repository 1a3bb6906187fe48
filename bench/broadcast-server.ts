/**
 * What a large group is compared with: one process, the `ws` library, which turns every `send` into the frame that the
 * others would get and writes it to all sockets but its sender's. The frame is turned into bytes once, not for each
 * socket. It stores nothing, orders nothing, and asks nobody who a member is: a bound, not a rival.
 * Prints its port; ends when its standard input does, that is with the process that started it.
 */
import { WebSocketServer } from 'ws';
import type { AddressInfo } from 'node:net';

type Send = { clientId: string; conversation: string; kind: string; body: unknown };

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
let seq = 0;

const deliverFrame = ({ clientId, conversation, kind, body }: Send): Buffer => {
  seq += 1;
  const message = {
    id: `bare-${seq}`, conversation, seq, sender: 'm000000', clientId, kind, body, at: Date.now(), class: 'normal',
  };
  return Buffer.from(JSON.stringify({ type: 'deliver', items: [{ message }] }));
};

server.on('connection', (socket) => {
  socket.on('message', (data) => {
    const frame = deliverFrame(JSON.parse(String(data)) as Send);
    for (const other of server.clients) if (other !== socket) other.send(frame, { binary: false });
  });
  socket.on('error', () => socket.terminate());
});
server.on('listening', () => {
  console.log(JSON.stringify({ event: 'listening', port: (server.address() as AddressInfo).port }));
});

process.stdin.resume().on('end', () => {
  server.close();
  for (const socket of server.clients) socket.terminate();
});
