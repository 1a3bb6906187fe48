import { receiveWithinMs } from '../../shared/model/limits.ts';

/** Redelivery jobs push again at most this many times; the next attempt gives the connection up. */
const mostPushesAgain = 4;
/** A job may be lost, so it is asked for again after this long (ms). */
const askAgainMs = 60_000;
/** After this many asks without a receipt the connection is given up, even if no job ever ran. */
const mostAsks = 3;

/**
 * When to push again what one device has not received, and when to give its connection up.
 *
 *   idle ──expect──▶ expecting ──5 s: ask for a job──▶ asked ──▶ give up
 *    ▲                   │                              │
 *    └──────receipt──────┴───────────receipt────────────┘
 *
 * While asked:
 *
 *   an attempt of a job         push again; the fifth attempt gives up
 *   an attempt within 5 s       rest: a job that runs twice, or comes late, pushes nothing twice
 *   60 s without a receipt      ask for the job again; after the third ask give up
 *
 * The jobs survive this gateway and find the device where it is connected then. This object decides only for the
 * present connection. All times are of the monotonic clock (ms).
 */
export class Redelivery {
  /** When the next job is asked for; 0 while nothing is unreceived. */
  private askAt = 0;
  private asks = 0;
  private pushesAgain = 0;
  /** Until then the device may still receive what was pushed again. A receipt does not end this rest. */
  private restUntil = 0;

  get isExpecting(): boolean {
    return this.askAt !== 0;
  }

  /** How often the unreceived items were pushed, the first time included. */
  get pushes(): number {
    return this.pushesAgain + 1;
  }

  /** Something was pushed. The time runs from the oldest unreceived item, so a later push does not extend it. */
  expect(now: number): void {
    if (this.askAt === 0) this.askAt = now + receiveWithinMs;
  }

  /** The device has received something. Answers whether a job was asked for, which is not needed any more. */
  receive(): boolean {
    const wasAsked = this.asks > 0;
    this.askAt = 0;
    this.asks = 0;
    this.pushesAgain = 0;
    return wasAsked;
  }

  /** What is due now by the time. */
  remind(now: number): 'nothing' | 'ask' | 'give up' {
    if (this.askAt === 0 || now < this.askAt) return 'nothing';
    if (this.asks === mostAsks) return 'give up';
    this.asks += 1;
    this.askAt = now + askAgainMs;
    return 'ask';
  }

  /** What an attempt of a redelivery job shall do. */
  attempt(now: number): 'rest' | 'push' | 'give up' {
    if (this.asks === 0 || now < this.restUntil) return 'rest';
    if (this.pushesAgain === mostPushesAgain) return 'give up';
    this.pushesAgain += 1;
    this.restUntil = now + receiveWithinMs;
    return 'push';
  }
}
