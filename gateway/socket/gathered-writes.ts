import type { Socket } from 'node:net';
import type { DeviceSocket } from './device-socket.ts';

/**
 * Gathers what is written to a socket within one turn of the event loop into one system call: under load several frames
 * share it, alone a frame waits for nothing.
 */
const corked = new Map<Socket, DeviceSocket>();

function uncorkAll(): void {
  for (const [raw, socket] of corked) {
    try {
      raw.uncork();
    } catch (thrown) {
      socket.holder.faulted(thrown);
    }
  }
  corked.clear();
}

export function writeGathered(socket: DeviceSocket, raw: Socket, text: string): void {
  if (!corked.has(raw)) {
    if (corked.size === 0) process.nextTick(uncorkAll);
    corked.set(raw, socket);
    raw.cork();
  }
  socket.send(text);
}
