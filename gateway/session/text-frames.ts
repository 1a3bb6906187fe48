const firstByte = 0x81;

const headLength = (length: number): number => (length < 126 ? 2 : length < 65_536 ? 4 : 10);

/** Writes the head of an unmasked text frame of this many bytes (RFC 6455, section 5.2). Returns where it ends. */
function writeHead(frames: Buffer, at: number, length: number): number {
  frames[at] = firstByte;
  if (length < 126) {
    frames[at + 1] = length;
  } else if (length < 65_536) {
    frames[at + 1] = 126;
    frames.writeUInt16BE(length, at + 2);
  } else {
    frames[at + 1] = 127;
    frames.writeBigUInt64BE(BigInt(length), at + 2);
  }
  return at + headLength(length);
}

/** The bytes of these texts as frames of a WebSocket, one behind the other. */
export function textFrames(texts: readonly string[]): Buffer {
  const lengths = texts.map((text) => Buffer.byteLength(text));
  const frames = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + headLength(length) + length, 0));
  let at = 0;
  for (let i = 0; i < texts.length; i++) {
    at = writeHead(frames, at, lengths[i]!);
    at += frames.write(texts[i]!, at);
  }
  return frames;
}
