/**
 * SHA-256 without `crypto.subtle`, which does not exist on plain http, and answers later where it does. For short
 * texts: nothing here is secret.
 */

/** The first 32 bits of the fractional parts of roots of the first primes, as the standard defines its constants. */
function constants(count: number, root: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0) prime = false;
    const value = candidate ** (1 / root);
    if (prime) found.push(((value - Math.floor(value)) * 2 ** 32) | 0);
  }
  return found;
}

const turned = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits));

export function sha256(data: Uint8Array): Uint8Array {
  const rounds = constants(64, 3);
  let state = constants(8, 2);
  const padded = new Uint8Array(((data.length + 8) >> 6) * 64 + 64);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, data.length * 8);
  const words = new Int32Array(64);

  for (let offset = 0; offset < padded.length; offset += 64) {
    for (let index = 0; index < 64; index++) {
      if (index < 16) words[index] = view.getInt32(offset + index * 4);
      else {
        const [early, late] = [words[index - 15]!, words[index - 2]!];
        const first = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
        const second = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
        words[index] = words[index - 16]! + first + words[index - 7]! + second;
      }
    }
    let mixed = state;
    for (let index = 0; index < 64; index++) {
      const [a, b, c, d, e, f, g, h] = mixed as [number, number, number, number, number, number, number, number];
      const of = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
      const one = (h + of + ((e & f) ^ (~e & g)) + rounds[index]! + words[index]!) | 0;
      const two = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      mixed = [(one + two) | 0, a, b, c, (d + one) | 0, e, f, g];
    }
    state = state.map((word, index) => (word + mixed[index]!) | 0);
  }
  for (const [index, word] of state.entries()) view.setInt32(index * 4, word);
  return padded.subarray(0, 32);
}
