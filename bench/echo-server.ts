/**
 * What Restante is compared with: one process, the `ws` library as it comes (no compression by default), every frame
 * parsed as JSON and sent back to its sender as JSON. It stores nothing and orders nothing: a bound, not a rival.
 * Prints its port; ends when its standard input does, that is with the process that started it.
 */
import { WebSocketServer } from 'ws';
import type { AddressInfo } from 'node:net';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });

server.on('connection', (socket) => {
  socket.on('message', (data) => socket.send(JSON.stringify(JSON.parse(String(data)))));
  socket.on('error', () => socket.terminate());
});
server.on('listening', () => {
  console.log(JSON.stringify({ event: 'listening', port: (server.address() as AddressInfo).port }));
});

process.stdin.resume().on('end', () => {
  server.close();
  for (const socket of server.clients) socket.terminate();
});
