import { randomBytes } from 'node:crypto';

/**
 * A UUIDv7: 48 bits of milliseconds, the rest random. The server recognises a repeated send by such an id for as long
 * as its history reaches, by any other id only for the dedupe window.
 */
export function newClientId(now: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
