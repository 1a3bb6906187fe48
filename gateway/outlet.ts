import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';

/**
 * Gathers what is written to a socket within one turn of the event loop into one system call: under load several frames
 * share it, alone a frame waits for nothing.
 */
const corked = new Set<Socket>();

function uncorkAll(): void {
  for (const socket of corked) socket.uncork();
  corked.clear();
}

export function writeGathered(socket: WebSocket, raw: Socket, text: string): void {
  if (!corked.has(raw)) {
    if (corked.size === 0) process.nextTick(uncorkAll);
    corked.add(raw);
    raw.cork();
  }
  socket.send(text);
}
