import type { Socket } from 'node:net';

/** What befalls the bytes of one direction; read for every piece, so that it may change at any time. */
export type PipeRule = {
  swallow: boolean;
  delayMs: number;
  jitterMs: number;
  bytesPerSecond: number;
  sliceBytes: number;
};

/** One direction of one connection. */
export type Pipe = {
  /** True once it has swallowed a byte: what follows no longer makes sense to the receiver. */
  readonly swallowed: boolean;
  /** Sends what waits for an old rule at once. */
  go(): void;
  end(): void;
};

/** A piece that waits; `at` is when it may go (ms of the monotonic clock). */
type Piece = { bytes: Buffer; at: number };

/** Bytes held back by a delay or a throttle before the sender is made to wait. */
const mostHeld = 1_048_576;
/** Pieces of a throttled pipe: ten a second. */
const throttleSliceMs = 100;

/**
 * Carries what `from` sends to `to`. `look` sees each piece as it came, and says whether it goes on. The end of `from`
 * is passed on as well, after everything before it.
 */
export function createPipe(
  from: Socket,
  to: Socket,
  rule: PipeRule,
  random: () => number,
  look: (bytes: Buffer) => boolean,
): Pipe {
  let held: Piece[] = [];
  let heldBytes = 0;
  let timer: NodeJS.Timeout | null = null;
  let swallowed = false;
  let ended = false;
  let over = false;

  const plain = (): boolean => rule.delayMs === 0 && rule.jitterMs === 0 && rule.bytesPerSecond === Infinity;
  const nextPiece = (bytes: Buffer): Buffer => {
    const most = Math.min(rule.sliceBytes, Math.max(1, Math.floor((rule.bytesPerSecond * throttleSliceMs) / 1000)));
    return bytes.length <= most ? bytes : bytes.subarray(0, most);
  };
  const write = (bytes: Buffer): void => {
    if (!to.write(bytes)) from.pause();
  };

  function flush(): void {
    timer = null;
    while (held.length > 0 && !over) {
      const [first] = held as [Piece];
      const waitMs = first.at - performance.now();
      if (waitMs > 0 && !plain()) {
        timer = setTimeout(flush, waitMs);
        return;
      }
      const piece = nextPiece(first.bytes);
      write(piece);
      heldBytes -= piece.length;
      if (piece.length === first.bytes.length) held.shift();
      else first.bytes = first.bytes.subarray(piece.length);
      if (rule.sliceBytes !== Infinity || rule.bytesPerSecond !== Infinity) {
        // One piece in a turn, so that the kernel does not join them again.
        const restMs = rule.bytesPerSecond === Infinity ? 0 : (piece.length / rule.bytesPerSecond) * 1000;
        timer = setTimeout(flush, restMs);
        return;
      }
    }
    if (over) return;
    if (heldBytes < mostHeld && !to.writableNeedDrain) from.resume();
    if (ended && held.length === 0) to.end();
  }

  function take(bytes: Buffer): void {
    if (!look(bytes)) return;
    if (rule.swallow) {
      swallowed = true;
      return;
    }
    // After a gap nothing may pass: the receiver would take the middle of one message for the start of another.
    if (swallowed) return;
    if (held.length === 0 && timer === null && plain() && rule.sliceBytes === Infinity) return write(bytes);
    const due = performance.now() + rule.delayMs + random() * rule.jitterMs;
    held.push({ bytes, at: Math.max(due, held.at(-1)?.at ?? 0) });
    heldBytes += bytes.length;
    if (heldBytes >= mostHeld) from.pause();
    if (timer === null) flush();
  }

  from.on('data', take);
  from.on('end', () => {
    ended = true;
    if (held.length === 0 && timer === null && !swallowed) to.end();
  });
  to.on('drain', () => {
    if (heldBytes < mostHeld) from.resume();
  });
  from.resume();

  return {
    get swallowed() {
      return swallowed;
    },
    go() {
      if (timer !== null) clearTimeout(timer);
      flush();
    },
    end() {
      over = true;
      held = [];
      if (timer !== null) clearTimeout(timer);
    },
  };
}
