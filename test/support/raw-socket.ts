import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Bytes of a client frame: `head` is the first byte (FIN, RSV, opcode). Masked with zeros unless told otherwise. */
export function rawFrame(
  head: number,
  payload: Buffer | string = '',
  { masked = true, length }: { masked?: boolean; length?: number } = {},
): Buffer {
  const content = Buffer.from(payload);
  const size = length ?? content.length;
  const mask = masked ? 0x80 : 0;
  let header: Buffer;
  if (size < 126) header = Buffer.from([head, mask | size]);
  else if (size < 65_536) {
    header = Buffer.from([head, mask | 126, 0, 0]);
    header.writeUInt16BE(size, 2);
  } else {
    header = Buffer.from([head, mask | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.writeBigUInt64BE(BigInt(size), 2);
  }
  return Buffer.concat([header, masked ? Buffer.alloc(4) : Buffer.alloc(0), content]);
}

/** First bytes: FIN is 0x80. */
export const text = 0x81;
export const close = 0x88;
export const ping = 0x89;

/** The close code in the bytes that a server sent after the handshake; null if it sent no close frame. */
function closeCodeIn(bytes: Buffer): number | null {
  for (let at = 0; at + 2 <= bytes.length;) {
    let size = bytes[at + 1]! & 0x7f;
    let start = at + 2;
    if (size === 126) {
      size = bytes.readUInt16BE(start);
      start += 2;
    } else if (size === 127) {
      size = Number(bytes.readBigUInt64BE(start));
      start += 8;
    }
    if ((bytes[at]! & 0x0f) === 8) return size >= 2 ? bytes.readUInt16BE(start) : 1005;
    at = start + size;
  }
  return null;
}

export type RawSocket = {
  socket: Socket;
  /** Resolves with the code of the close frame once the server has ended the connection. */
  closed: Promise<number | null>;
  write(bytes: Buffer): void;
};

/**
 * A WebSocket handshake over plain TCP; afterwards a test may write any bytes. Rejects with the status line if refused.
 */
export async function openRaw(url: string): Promise<RawSocket> {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  let bytes = Buffer.alloc(0);
  socket.on('data', (data) => {
    bytes = Buffer.concat([bytes, data]);
  });
  socket.write(
    `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  let end = -1;
  while ((end = bytes.indexOf('\r\n\r\n')) === -1) await once(socket, 'data');
  const status = bytes.subarray(0, bytes.indexOf('\r\n')).toString();
  if (!status.includes(' 101 ')) {
    socket.destroy();
    throw new Error(status);
  }
  const closed = once(socket, 'close').then(() => closeCodeIn(bytes.subarray(end + 4)));
  return { socket, closed, write: (more) => void socket.write(more) };
}
