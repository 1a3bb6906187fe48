/** Messages per millisecond of one partition from which the next call waits for more. */
const densePerMs = 0.75;
/** How long it waits (ms). A timer of Node.js takes no less. */
export const gatherMs = 1;
/** Messages that are a call worth making at once. */
export const enough = 6;
/** Over how much time the rate is averaged (ms). */
const averagedMs = 20;

/**
 * When messages come so densely that one call follows another, a call that waits a millisecond takes several of them. A
 * call costs Redis and the process that makes it about as much as ten messages do, so the processor does less for the
 * same messages. Where they come less densely, no message waits for others.
 *
 * The rate is an average whose weights fall with age (exponentially weighted moving average), of one partition.
 */
export class Gathering {
  private at = -Infinity;
  private perMs = 0;
  private readonly mostPerMs: number;

  /** `mostPerMs`: where messages come more densely than this, nothing waits. */
  constructor(mostPerMs = Infinity) {
    this.mostPerMs = mostPerMs;
  }

  /** Notes a call with so many messages. `now`: monotonic time (ms). */
  took(messages: number, now: number): void {
    const ms = Math.max(now - this.at, 0.1);
    this.at = now;
    this.perMs += (messages / ms - this.perMs) * Math.min(1, ms / averagedMs);
  }

  /** How long the next call waits (ms), with so many messages in the queue. */
  pauseMs(waiting: number): number {
    const isDense = this.perMs >= densePerMs && this.perMs <= this.mostPerMs;
    return isDense && waiting < enough ? gatherMs : 0;
  }
}
