import type { Socket } from 'node:net';
import type { DeviceSocket } from './device-socket.ts';

/** The sockets that were written to in this turn of the event loop. */
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

/**
 * Writes a text frame. All frames of one socket in one turn of the event loop share one system call: under load that
 * saves calls, and a single frame is not delayed.
 */
export function writeGathered(socket: DeviceSocket, raw: Socket, text: string): void {
  if (!corked.has(raw)) {
    if (corked.size === 0) process.nextTick(uncorkAll);
    corked.set(raw, socket);
    raw.cork();
  }
  socket.send(text);
}
