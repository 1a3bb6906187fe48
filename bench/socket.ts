/**
 * A WebSocket client on a bare socket. The load generator shares the machine with the measured servers, so it must cost
 * little. The mask key is zero: the payload is sent unchanged. Text is handled as Latin-1, since the generator compares
 * only ASCII. All frames of one read are handed over together, so that answers can leave together.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/**
 * All sockets read into the same memory: on Linux a read and its callback run without interruption. An incomplete frame
 * is copied out before the callback returns.
 */
const readMemory = Buffer.allocUnsafeSlow(256 * 1024);

const opcodes = { text: 0x81, close: 0x88, ping: 0x89, pong: 0x8a } as const;
const zeroMask = '\0\0\0\0';
const ended = 'the socket ended';

/** One client frame as Latin-1 text. `payload` must be Latin-1, at most 65,535 characters. */
function encode(opcode: number, payload: string): string {
  const { length } = payload;
  const size =
    length < 126 ? String.fromCharCode(0x80 | length) : String.fromCharCode(0x80 | 126, length >> 8, length & 0xff);
  return String.fromCharCode(opcode) + size + zeroMask + payload;
}

export const textFrame = (payload: string): string => encode(opcodes.text, payload);

export type Connection = {
  /** Writes one or more frames made by `textFrame`, joined. */
  write: (frames: string) => void;
  /** Closes gracefully; resolves when the socket is gone. */
  close: () => Promise<void>;
};

export type ConnectOptions = {
  port: number;
  path: string;
  /** The texts of one read, in order. */
  onTexts: (texts: string[]) => void;
  /** The connection ended without a call of `close`. */
  onLost: (reason: string) => void;
};

type Received = { texts: string[]; pings: string[]; closed: string | undefined; rest: Buffer | undefined };

/** Takes the complete frames out of `bytes`; the remainder is copied into `rest`. */
function parse(bytes: Buffer): Received {
  const received: Received = { texts: [], pings: [], closed: undefined, rest: undefined };
  let at = 0;
  while (bytes.length - at >= 2) {
    const opcode = bytes[at]!;
    let length = bytes[at + 1]!;
    let start = at + 2;
    if (length > 127) throw new Error('a server frame must not be masked');
    if (length === 126) {
      if (bytes.length < start + 2) break;
      length = bytes.readUInt16BE(start);
      start += 2;
    } else if (length === 127) {
      if (bytes.length < start + 8) break;
      length = Number(bytes.readBigUInt64BE(start));
      start += 8;
    }
    const end = start + length;
    if (bytes.length < end) break;
    const payload = bytes.toString('latin1', start, end);
    if (opcode === opcodes.text) received.texts.push(payload);
    else if (opcode === opcodes.ping) received.pings.push(payload);
    else if (opcode === opcodes.close) {
      received.closed = length < 2 ? 'closed' : `closed with ${bytes.readUInt16BE(start)} ${payload.slice(2)}`;
    } else if (opcode !== opcodes.pong) throw new Error(`unexpected first byte of a frame: ${opcode}`);
    at = end;
  }
  if (at < bytes.length) received.rest = Buffer.from(bytes.subarray(at));
  return received;
}

const upgradeRequest = ({ port, path }: ConnectOptions): string =>
  [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Protocol: restante.v1',
    '\r\n',
  ].join('\r\n');

/** The length of the HTTP response that opens the socket; undefined while incomplete. Any other response throws. */
function upgradeAnswerLength(bytes: Buffer): number | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const status = bytes.toString('latin1', 0, bytes.indexOf('\r\n'));
  if (!status.startsWith('HTTP/1.1 101')) throw new Error(`the upgrade was answered with: ${status}`);
  return end + 4;
}

/** Opens a WebSocket to 127.0.0.1; rejects if the server does not upgrade. */
export const openSocket = (options: ConnectOptions): Promise<Connection> =>
  new Promise((resolve, reject) => {
    let open = false;
    let closing = false;
    let reason: string | undefined;
    let rest: Buffer | undefined;

    const handle = (bytes: Buffer): void => {
      const received = parse(bytes);
      rest = received.rest;
      if (received.closed !== undefined) {
        reason ??= received.closed;
        socket.end(encode(opcodes.close, ''), 'latin1');
      }
      for (const payload of received.pings) socket.write(encode(opcodes.pong, payload), 'latin1');
      if (received.texts.length > 0) options.onTexts(received.texts);
    };

    const read = (fresh: Buffer): void => {
      const bytes = rest ? Buffer.concat([rest, fresh]) : fresh;
      if (open) return handle(bytes);
      const headers = upgradeAnswerLength(bytes);
      if (headers === undefined) {
        rest = Buffer.from(bytes);
        return;
      }
      open = true;
      resolve({ write: (frames) => void socket.write(frames, 'latin1'), close });
      handle(bytes.subarray(headers));
    };

    const close = (): Promise<void> => {
      closing = true;
      return new Promise((gone) => {
        if (socket.destroyed) return gone();
        const timer = setTimeout(() => socket.destroy(), 2000);
        socket.once('close', () => {
          clearTimeout(timer);
          gone();
        });
        socket.write(encode(opcodes.close, '\x03\xe8'), 'latin1');
      });
    };

    const socket: Socket = connect({
      host: '127.0.0.1',
      port: options.port,
      noDelay: true,
      onread: {
        buffer: readMemory,
        callback: (length) => {
          try {
            read(readMemory.subarray(0, length));
          } catch (error) {
            socket.destroy(error as Error);
          }
          return true;
        },
      },
    });
    // The first reason is the cause: writes after a close frame fail too.
    socket.on('error', (error) => (reason ??= error.message));
    socket.once('close', () => {
      if (!open) reject(new Error(`no WebSocket on port ${options.port}: ${reason ?? ended}`));
      else if (!closing) options.onLost(reason ?? ended);
    });
    socket.write(upgradeRequest(options));
  });
