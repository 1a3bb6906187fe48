/**
 * Tracks which listeners have which message of a group. Every listener must get a message, or be told by a gap to read
 * it from history. If neither has happened by the end, the message is lost.
 */

export type Reach = {
  /** From the write of `send` until the last listener had it; null if a listener did not get it. */
  reachedMs: number | null;
  acceptedMs: number | null;
};

const had = { nothing: 0, message: 1, gap: 2 } as const;
type Message = {
  /** The call of `send` that it belongs to. */
  batch: number;
  sentUs: number;
  acceptedUs: number;
  /** 0 until the server has told it. */
  seq: number;
  reachedUs: number;
  /** Listeners without the message; `untold`: those of them who got no gap either. */
  without: number;
  untold: number;
  has: Uint8Array;
};
type Range = { fromSeq: number; toSeq: number };

/** `answers`: whether the server answers each send. */
export function createAttendance(listenerCount: number, answers: boolean) {
  const messages: Message[] = [];
  const gaps = new Map<number, Range[]>();
  let duplicated = 0;
  /**
   * The messages being awaited. `open` counts what they still await: one delivery for each listener, and one answer.
   */
  let batch = 0;
  let open = 0;
  let done = (): void => {};

  const settle = (message: Message): void => {
    if (message.batch !== batch) return;
    open -= 1;
    if (open === 0) done();
  };
  const known = (number: number | undefined): Message => {
    const message = number === undefined ? undefined : messages[number];
    if (message === undefined) throw new Error(`a message came that was never sent: ${number}`);
    return message;
  };
  const tell = (message: Message, listener: number, { fromSeq, toSeq }: Range): void => {
    if (message.has[listener] !== had.nothing || message.seq < fromSeq || message.seq > toSeq || message.seq === 0)
      return;
    message.has[listener] = had.gap;
    message.untold -= 1;
    settle(message);
  };

  return {
    /** Adds `count` messages; returns their numbers. `whenDone` is called when nothing more of them is expected. */
    send: (count: number, nowUs: number, whenDone: () => void): number[] => {
      batch += 1;
      open = count * (listenerCount + (answers ? 1 : 0));
      done = whenDone;
      return Array.from(
        { length: count },
        () =>
          messages.push({
            batch,
            sentUs: nowUs,
            acceptedUs: 0,
            seq: 0,
            reachedUs: 0,
            without: listenerCount,
            untold: listenerCount,
            has: new Uint8Array(listenerCount),
          }) - 1,
      );
    },
    accept: (number: number | undefined, seq: number, nowUs: number): void => {
      const message = known(number);
      message.acceptedUs = nowUs;
      message.seq = seq;
      settle(message);
      for (const [listener, ranges] of gaps) for (const range of ranges) tell(message, listener, range);
    },
    /** Whether the listener has it for the first time. */
    deliver: (number: number, listener: number, nowUs: number): boolean => {
      const message = known(number);
      const before = message.has[listener];
      if (before === had.message) {
        duplicated += 1;
        return false;
      }
      message.has[listener] = had.message;
      message.without -= 1;
      if (message.without === 0) message.reachedUs = nowUs;
      if (before === had.nothing) {
        message.untold -= 1;
        settle(message);
      }
      return true;
    },
    announce: (listener: number, range: Range): void => {
      const ranges = gaps.get(listener);
      if (ranges === undefined) gaps.set(listener, [range]);
      else ranges.push(range);
      for (const message of messages) tell(message, listener, range);
    },
    reach: (number: number): Reach => {
      const { sentUs, acceptedUs, reachedUs } = known(number);
      const since = (us: number): number | null => (us === 0 ? null : (us - sentUs) / 1000);
      return { reachedMs: since(reachedUs), acceptedMs: since(acceptedUs) };
    },
    /** Totals over all accepted messages; each counts once for every listener. */
    faults: () => {
      let lost = 0;
      let announced = 0;
      for (const { without, untold, acceptedUs } of messages) {
        if (answers && acceptedUs === 0) continue;
        lost += untold;
        announced += without - untold;
      }
      return { sent: messages.length, lost, duplicated, announced };
    },
  };
}
