import { setTimeout as pause } from 'node:timers/promises';
import type { Coverage } from './coverage.ts';
import type { Frame } from './socket.ts';

/**
 * Reads announced gaps from history, one after the other. While the server asks for patience, or is slow, it asks
 * again; after the end of a connection it goes on where it stopped.
 */
export type Gap = { conversation: string; fromSeq: number; toSeq: number };

export type GapReader = {
  readonly size: number;
  add(gap: Gap): void;
  /** There is a connection again. */
  continue(): void;
};

const pageMessages = 100;
const pauseMs = 300;
/** Beyond this the oldest are forgotten: a device in an outage must not collect gaps without end. */
const mostGaps = 1000;

export function createGapReader(
  coverage: Coverage,
  ask: (frame: object) => Promise<Frame | null>,
  isConnected: () => boolean,
): GapReader {
  const waiting: Gap[] = [];
  let reading = false;

  /** True if the range is read, or cannot be read by this user. */
  async function read(gap: Gap): Promise<boolean> {
    let { fromSeq } = gap;
    while (fromSeq <= gap.toSeq) {
      if (coverage.has(gap.conversation, fromSeq)) {
        fromSeq += 1;
        continue;
      }
      const { conversation } = gap;
      const answer = await ask({ type: 'history', conversation, after: fromSeq - 1, limit: pageMessages });
      if (answer === null || answer.type === 'error') {
        if (answer !== null && answer['retryable'] !== true) return true;
        await pause(pauseMs);
        if (isConnected()) continue;
        return false;
      }
      const { messages, more } = answer as unknown as { messages: { seq: number }[]; more: boolean };
      for (const { seq } of messages) if (seq <= gap.toSeq) coverage.add(conversation, seq, seq);
      if (!more || messages.length === 0) return true;
      gap.fromSeq = fromSeq = messages.at(-1)!.seq + 1;
    }
    return true;
  }

  async function run(): Promise<void> {
    if (reading) return;
    reading = true;
    try {
      while (waiting[0] !== undefined) {
        if (!(await read(waiting[0]))) break;
        waiting.shift();
      }
    } finally {
      reading = false;
    }
  }

  return {
    get size() {
      return waiting.length;
    },
    add({ conversation, fromSeq, toSeq }) {
      if (waiting.length === mostGaps) waiting.splice(1, 1);
      waiting.push({ conversation, fromSeq, toSeq });
      void run();
    },
    continue: () => void run(),
  };
}
