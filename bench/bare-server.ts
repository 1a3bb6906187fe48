import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/**
 * A process with the `ws` library in its default settings (no compression) and nothing more: the baseline of the
 * benchmark. Prints its port. Ends with its standard input, and so with the process that started it.
 */
export function serveBare(take: (text: string, from: WebSocket, all: Set<WebSocket>) => void): void {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket) => {
    socket.on('message', (data) => take(String(data), socket, server.clients));
    socket.on('error', () => socket.terminate());
  });
  server.on('listening', () => {
    console.log(JSON.stringify({ event: 'listening', port: (server.address() as AddressInfo).port }));
  });
  process.stdin.resume().on('end', () => {
    server.close();
    for (const socket of server.clients) socket.terminate();
  });
}
