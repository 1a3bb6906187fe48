/**
 * Makes UUIDv7 ids that rise, also within a millisecond and when the clock goes back. `now` is the server's time: the
 * server recognises a repeated message by its id for as long as its history reaches, unless the id is from the future.
 */
export function createClientIds(
  now: () => number,
  randomBytes: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array = (bytes) => crypto.getRandomValues(bytes),
): () => string {
  let at = 0;
  let count = 0;

  return () => {
    const bytes = randomBytes(new Uint8Array(16));
    const clock = Math.floor(now());
    if (clock > at) {
      at = clock;
      // Half of the room is left to count up in.
      count = ((bytes[6]! << 8) | bytes[7]!) & 0x7ff;
    } else if (++count > 0xfff) {
      at++;
      count = 0;
    }
    for (let index = 5, rest = at; index >= 0; index--, rest = Math.floor(rest / 256)) bytes[index] = rest % 256;
    bytes[6] = 0x70 | (count >> 8);
    bytes[7] = count & 0xff;
    bytes[8] = 0x80 | (bytes[8]! & 0x3f);
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  };
}
