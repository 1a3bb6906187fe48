import type { Clock } from '../platform/clock.ts';
import { lengthOf } from '../storage/message-size.ts';
import type { ConversationRow } from '../storage/storage.ts';
import type { SeqRange } from '../wire.ts';
import { difference, missingIn, sizeOf, union, type Ranges } from './ranges.ts';
import type { Taken } from './take.ts';

/**
 * Hands the messages of one conversation out by rising seq, and reads small holes before what lies above them.
 *
 * A hole that was announced, or that somebody looks at, is read from history once if it has at most `fillSeqs` seqs.
 * A larger one stands, and so does one that history did not fill. One that was not announced can only be an own message
 * on its way or a fault: it is waited for, then treated like the others.
 */
export type Order = {
  /** Messages were stored together. `row` is as it was stored with them. */
  add(all: Taken[], row: ConversationRow): void;
  /** Nothing waits. */
  readonly idle: boolean;
};

export type OrderOptions = {
  clock: Clock;
  /** The seq up to which everything was handed out, or is older than this client. */
  emitted: number;
  /** Every hole counts as announced, or somebody looks at the conversation. */
  isOpen(): boolean;
  /** The backlog is not read to its end: what is missing may come with it. */
  isBehind(): boolean;
  /** Reads a range from history into the storage. What it brings is given to `add`. */
  fill(range: SeqRange): Promise<void>;
  emit(taken: Taken, live: boolean): void;
  /** A hole stands: what is above it is handed out. */
  gap(missing: Ranges): void;
  fault(error: Error, where: string): void;
};

/** A larger hole is not read unasked. */
export const fillSeqs = 500;
/** The most messages that wait for a hole, and the characters of their texts. */
const waitingMost = 1000;
const waitingLength = 4_000_000;
/** How long a hole that was not announced is waited for. */
const unannouncedMs = 2000;

export function createOrder({ clock, isOpen, isBehind, fill, emit, gap, fault, ...options }: OrderOptions): Order {
  let { emitted } = options;
  const waiting: { taken: Taken; length: number }[] = [];
  let length = 0;
  let row: ConversationRow;
  let filling = false;
  let waitingForHole = false;
  /** Holes that were waited for long enough, and those that history was asked for. */
  let waited: Ranges = [];
  let tried: Ranges = [];

  const handOut = (): void => {
    const one = waiting.shift()!;
    length -= one.length;
    emitted = one.taken.message.seq;
    emit(one.taken, true);
  };

  const waitFor = (unknown: Ranges): void => {
    if (waitingForHole) return;
    waitingForHole = true;
    const wasBehind = isBehind();
    clock.after(unannouncedMs, () => {
      waitingForHole = false;
      if (wasBehind) return pump();
      const open = difference(difference(unknown, row.present), row.absent);
      if (open.length > 0) fault(new Error(`${sizeOf(open)} messages of ${row.id} did not come`), 'hole');
      waited = union(waited, unknown);
      pump();
    });
  };

  const read = (range: SeqRange): void => {
    filling = true;
    tried = union(tried, [range]);
    fill(range)
      .catch((error: unknown) => fault(error as Error, 'history'))
      .finally(() => {
        filling = false;
        pump();
      });
  };

  const pump = (): void => {
    while (waiting.length > 0 && !filling) {
      const { seq } = waiting[0]!.taken.message;
      const missing = difference(missingIn({ fromSeq: emitted + 1, toSeq: seq - 1 }, row.present), row.absent);
      const untried = difference(missing, tried);
      const tooMany = waiting.length > waitingMost || length > waitingLength;
      const unknown = difference(difference(untried, row.gaps), waited);
      if (missing.length === 0) handOut();
      else if (unknown.length > 0 && isBehind() && !tooMany) return waitFor(unknown);
      else if (untried.length === 0 || tooMany || sizeOf(missing) > fillSeqs) {
        gap(missing);
        handOut();
      } else if (unknown.length > 0 && !isOpen()) return waitFor(unknown);
      else read({ fromSeq: missing[0]!.fromSeq, toSeq: missing.at(-1)!.toSeq });
    }
    if (waiting.length === 0) waited = tried = [];
  };

  return {
    add(all, stored) {
      row = stored;
      for (const taken of all) {
        const { seq, body } = taken.message;
        if (seq === emitted + 1 && waiting.length === 0 && !filling) {
          emitted = seq;
          emit(taken, true);
          continue;
        }
        const at = waiting.findLastIndex((other) => other.taken.message.seq < seq) + 1;
        if (seq <= emitted || waiting[at]?.taken.message.seq === seq) emit(taken, false);
        else {
          const one = { taken, length: lengthOf(body) };
          waiting.splice(at, 0, one);
          length += one.length;
        }
      }
      pump();
    },
    get idle() {
      return waiting.length === 0 && !filling;
    },
  };
}
