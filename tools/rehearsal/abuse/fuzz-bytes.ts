import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Random } from '../irc/random.ts';
import { type Attack, attacker, repeat, type Stage } from './stage.ts';

/** Bytes that are invalid or barely valid HTTP or WebSocket: the layer below a server's frames. */

/** A client frame of RFC 6455, masked unless it should be invalid. */
function frame(
  opcode: number,
  payload: Buffer,
  {
    final = true,
    reserved = 0,
    masked = true,
    length = payload.length,
  }: { final?: boolean; reserved?: number; masked?: boolean; length?: number } = {},
): Buffer {
  const first = (final ? 0x80 : 0) | (reserved << 4) | opcode;
  const bit = masked ? 0x80 : 0;
  let head: Buffer;
  if (length < 126) head = Buffer.from([first, bit | length]);
  else if (length < 65_536) {
    head = Buffer.from([first, bit | 126, 0, 0]);
    head.writeUInt16BE(length, 2);
  } else {
    head = Buffer.from([first, bit | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  if (!masked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  const body = Buffer.from(payload.map((byte, i) => byte ^ mask[i % 4]!));
  return Buffer.concat([head, mask, body]);
}

const text = (content: unknown, options = {}): Buffer =>
  frame(1, Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)), options);

const upgrade = (random: Random): string =>
  [
    'GET /v1/ws HTTP/1.1',
    'Host: x',
    'Connection: Upgrade',
    'Upgrade: websocket',
    `Sec-WebSocket-Version: ${random.chance(0.95) ? 13 : random.pick([0, 8, 99])}`,
    `Sec-WebSocket-Key: ${random.chance(0.97) ? randomBytes(16).toString('base64') : 'short'}`,
    ...(random.chance(0.8) ? ['Sec-WebSocket-Protocol: restante.v1'] : []),
    ...(random.chance(0.1) ? ['Sec-WebSocket-Extensions: permessage-deflate'] : []),
    '',
    '',
  ].join('\r\n');

function afterUpgrade(random: Random, hello: Buffer): Buffer[] {
  const part = (): Buffer => {
    switch (random.between(0, 12)) {
      case 0:
        return text('x');
      case 1:
        return Buffer.concat([text('x'), text('x'), text('x'), text('x')]);
      case 2:
        return frame(random.pick([3, 7, 11, 15]), randomBytes(random.between(0, 125)));
      case 3:
        return frame(
          8,
          random.pick([
            Buffer.alloc(0),
            Buffer.from([3]),
            Buffer.from([0x03, 0xe8]),
            Buffer.from([0x03, 0xec]),
            Buffer.concat([Buffer.from([0x0f, 0xa0]), randomBytes(200)]),
          ]),
        );
      case 4:
        return frame(9, randomBytes(random.between(0, 200)));
      case 5:
        return frame(1, Buffer.from([0xff, 0xfe, 0xfd]));
      case 6:
        return text({ type: 'ping' }, { reserved: random.between(1, 7) });
      case 7:
        return text({ type: 'ping' }, { masked: false });
      case 8:
        return text('{', { length: random.pick([1_000_000, 2 ** 31, 2 ** 40]) });
      case 9:
        return Buffer.concat(
          Array.from({ length: random.between(2, 200) }, (_, i) =>
            frame(i === 0 ? 1 : 0, Buffer.from('{'), { final: false }),
          ),
        );
      case 10:
        return frame(0, Buffer.from('continuation of nothing'));
      case 11:
        return frame(2, randomBytes(random.between(0, 5000)));
      default:
        return text({
          type: 'send',
          clientId: `c${random.between(0, 9)}`,
          to: attacker,
          kind: 'text',
          body: 'x'.repeat(random.between(0, 10_000)),
        });
    }
  };
  return [...(random.chance(0.8) ? [hello] : []), ...Array.from({ length: random.between(1, 20) }, part)];
}

const requests = (random: Random): Buffer =>
  random.pick([
    () => randomBytes(random.between(1, 4000)),
    () => Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n'),
    () =>
      Buffer.from(
        'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n' +
          '0\r\n\r\nGET / HTTP/1.1\r\n\r\n',
      ),
    () =>
      Buffer.from(
        `GET /v1/inbox HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${'a'.repeat(random.between(1, 20_000))}\r\n\r\n`,
      ),
    () => Buffer.from('POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n'),
    () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    () =>
      Buffer.from(
        `GET ${random.pick(['/v1/../../etc/passwd', '/%00', '//', '/v1/ws', '/admin', '*', 'http://x/'])} ` +
          `HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: ${random.pick(['h2c', 'websocket', ''])}\r\n\r\n`,
      ),
  ])();

/** Writes the bytes in pieces of random size, and ends the connection in a random way. */
async function play(socket: Socket, random: Random, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length && !socket.destroyed;) {
    const size = random.chance(0.5) ? bytes.length : random.between(1, 2000);
    const more = socket.write(bytes.subarray(at, at + size));
    at += size;
    if (!more)
      await Promise.race([
        new Promise((resolve) => socket.once('drain', resolve)),
        new Promise((resolve) => socket.once('close', resolve)),
      ]);
    if (random.chance(0.1)) await new Promise((resolve) => setImmediate(resolve));
  }
}

export const fuzzBytes: Attack = {
  name: 'fuzz-bytes',
  unlimited: true,
  says: 'random bytes, broken WebSocket frames and HTTP requests on bare connections',
  async run(stage: Stage) {
    const { random } = stage;
    const { hostname, port } = new URL(stage.http);
    const token = await stage.token(attacker);
    await repeat(
      stage,
      12,
      (loop) =>
        new Promise<void>((resolve) => {
          const socket = connect(Number(port), hostname);
          const end = setTimeout(() => socket.destroy(), random.between(20, 1000));
          socket.on('error', () => undefined);
          socket.on('data', () => {
            if (random.chance(0.02)) socket.pause();
          });
          socket.on('close', () => {
            clearTimeout(end);
            stage.count('connection');
            resolve();
          });
          socket.on('connect', () => {
            const hello = text({ type: 'hello', token, device: `raw${loop}`, mode: random.pick(['push', 'pull']) });
            const bytes = random.chance(0.7)
              ? Buffer.concat([Buffer.from(upgrade(random)), ...afterUpgrade(random, hello)])
              : requests(random);
            void play(socket, random, bytes).then(() => {
              const ending = random.next();
              if (ending < 0.3) socket.destroy();
              else if (ending < 0.5) socket.end();
            });
          });
        }),
    );
  },
};
