import { badRequest } from '../../shared/model/errors.ts';
import { readHead } from '../../shared/model/message-text.ts';
import type { Page, PageItem } from '../../shared/model/results.ts';
import { closeCodes } from '../../shared/protocol/close-codes.ts';
import { deliverFrame, gapFrame, itemText } from '../../shared/protocol/frame-text.ts';
import { type Attached, type Inboxes, pageBytes, pageItems } from '../../shared/redis/inboxes/inboxes.ts';
import type { LargeItem } from './shared-frame.ts';

/** How soon a pushed item has to be received before it is pushed again (ms). Promised to clients in `welcome`. */
export const receiveWithinMs = 5000;
/** Pushed again so often by the delivery job; then the connection is given up. */
const mostPushesAgain = 4;
/**
 * The jobs are asked again after this long, should they have lost the job (ms); at last the connection is given up
 * without them.
 */
const askAgainMs = 60_000;
const mostAsks = 3;
/**
 * Characters of one live frame, of up to three bytes each: with the names around them it stays below the promised
 * bytes.
 */
const mostLiveLength = pageBytes / 3 - 4096;
/** So many items may be on their way to a device unreceived; more wait in the inbox. */
const mostUnreceived = 1000;
/**
 * So many messages of large groups wait for a session that is still reading its inbox; what is more is announced as a
 * gap.
 */
const mostWaiting = 100;

export type Mode = 'push' | 'pull' | 'lazy';

export type SessionParts = {
  inboxes: Pick<Inboxes, 'page' | 'head'>;
  /** Has a device's position moved, soon and in a batch. */
  advance(session: Session, position: number): void;
  /** The inbox could not be read or written on. Never throws. */
  failed(session: Session, thrown: unknown): void;
  pushed(items: number): void;
  pushedAgain(items: number): void;
  /** Has a delivery job see to it that what was not received in time is pushed again. Asking twice makes one job. */
  deliverAgain(session: Session): void;
  /** What a delivery job was asked for was received: the job is not needed any more. */
  delivered(session: Session): void;
  /** Messages of large groups were dropped: has them announced in the inbox. */
  missedLarge(session: Session): void;
  /**
   * A push of a position that was handed over before: has the inbox looked at, now and then, for one that ends below
   * what is known.
   */
  fellBack(session: Session): void;
  /** Pushed so often and never received: the connection is given up. */
  undelivered(session: Session, attempts: number): void;
  /** The monotonic clock; `remind` is given the same one. */
  now(): number;
};

/** Where a session's frames go. */
export type Outlet = {
  write(text: string): void;
  writeFrame(frame: Buffer): void;
  close(code: number, why: string): void;
};

/**
 * One connected device and its place in the inbox.
 *
 *   received <= sent <= known
 *   known    the highest head of the inbox that this gateway has heard of
 *   sent     the highest position handed to the socket (or skipped as the device's own)
 *   received the highest position up to which the device has everything
 *
 * sent = known: live, the next push goes straight to the socket. sent < known: the inbox is read in pages, and a push
 * is only a hint that the head is higher. While `awaiting` is set nothing more is sent until it was received: between
 * the pages of a backlog, and when too much is on its way. A page sends only what is above `sent`, so no race can send
 * anything twice or out of order (checked with an explicit-state model).
 *
 * Messages of large groups have no position. They wait until everything in the inbox is sent, so that what a
 * conversation has in the inbox never comes after them.
 */
export class Session {
  readonly user: string;
  readonly device: string;
  readonly id: string;
  readonly mode: Mode;
  epoch: string;
  known: number;
  sent: number;
  received: number;
  ended = false;
  private readonly outlet: Outlet;
  private readonly parts: SessionParts;
  private reading = false;
  private awaiting = 0;
  /**
   * The head at hello: above it the device's own messages are not sent to it, not even when they are read from the
   * inbox.
   */
  private readonly liveFrom: number;
  /** Items of large groups that wait until the inbox is read. */
  private waiting: LargeItem[] | null = null;
  private missed = false;
  /**
   * The highest seq of each conversation that the inbox has given or announced on this connection, once the user has
   * large groups: what lies below may still be on its way, and is not sent behind it.
   */
  private given: Map<string, number> | null = null;
  /** Items handed over by pushes and not yet written: joined when the payload ends. */
  private live = '';
  private liveItems = 0;
  /** The one item of them, when there is no other and many sessions share it. */
  private alone: LargeItem | null = null;
  /** Positions of the device's own messages above `received`: nothing has to be received there. */
  private own: number[] | null = null;
  /** When a delivery job is asked for what is unreceived (ms); 0 while nothing is. */
  private askAt = 0;
  private asked = 0;
  private again = 0;
  /**
   * What was pushed again has until then to be received (ms): a job that runs twice, or comes late, pushes nothing
   * twice.
   */
  private restUntil = 0;

  constructor(
    user: string,
    device: string,
    id: string,
    mode: Mode,
    attached: Attached,
    outlet: Outlet,
    parts: SessionParts,
  ) {
    this.user = user;
    this.device = device;
    this.id = id;
    this.mode = mode;
    this.epoch = attached.epoch;
    this.known = attached.head;
    this.liveFrom = attached.head;
    this.sent = mode === 'push' ? attached.from : attached.head;
    this.received = mode === 'pull' ? attached.from : this.sent;
    this.outlet = outlet;
    this.parts = parts;
  }

  /** Until `release`, pushes are only hints: nothing may be written before `welcome`. */
  hold(): void {
    this.reading = true;
  }

  release(): void {
    this.reading = false;
    if (this.mode !== 'pull') this.readOn();
  }

  /**
   * The large groups were caught up while this session was held: their gaps stand behind `headBefore`, up to `head`. A
   * lazy device begins behind them, as behind everything that was there when it came.
   */
  caughtUp(headBefore: number, head: number): void {
    this.known = Math.max(this.known, head);
    if (this.mode === 'push' || headBefore !== this.sent) return;
    this.sent = head;
    this.received = head;
  }

  /** A push of this gateway's channel. `own` when this device sent it. */
  deliver(position: number, text: string, own: boolean): void {
    if (position <= this.sent) {
      // Mostly it was read from the inbox before its push arrived.
      this.parts.fellBack(this);
      return;
    }
    if (this.mode === 'pull' || position !== this.sent + 1 || !this.isLive) {
      this.heard(position);
      return;
    }
    this.sent = position;
    this.known = position;
    if (this.given !== null) this.noteGiven(readHead(text));
    if (own) {
      this.skipOwn(position);
      return;
    }
    this.addLive(itemText(position, text));
    if (position - this.received >= mostUnreceived) this.awaiting = position;
  }

  /** From now on messages of large groups may come. */
  followLarge(): void {
    this.given ??= new Map();
  }

  private noteGiven({ conversation, seq }: { conversation: string; seq: number }): void {
    this.given!.set(conversation, Math.max(seq, this.given!.get(conversation) ?? 0));
  }

  private isGiven({ conversation, seq }: LargeItem): boolean {
    return (this.given?.get(conversation) ?? 0) >= seq;
  }

  /** A message of a large group. */
  deliverLarge(item: LargeItem): void {
    if (this.mode === 'pull') return;
    if (this.isLive) {
      if (!this.isGiven(item)) this.addLive(item.text, item);
      return;
    }
    if (this.missed) return;
    this.waiting ??= [];
    if (this.waiting.length < mostWaiting) this.waiting.push(item);
    else {
      this.missed = true;
      this.waiting = null;
    }
  }

  /** Everything in the inbox was sent, as far as is known. */
  private get isLive(): boolean {
    return !this.reading && this.awaiting === 0 && this.sent >= this.known;
  }

  private addLive(item: string, shared: LargeItem | null = null): void {
    if (this.liveItems === pageItems || this.live.length + item.length > mostLiveLength) this.flush();
    this.alone = this.liveItems === 0 ? shared : null;
    this.live = this.live === '' ? item : `${this.live},${item}`;
    this.liveItems += 1;
  }

  private sendWaiting(): void {
    if (this.waiting !== null) {
      for (const item of this.waiting) if (!this.isGiven(item)) this.addLive(item.text, item);
      this.waiting = null;
      this.flush();
    }
    if (this.missed) {
      this.missed = false;
      this.parts.missedLarge(this);
    }
  }

  /** Writes what the pushes since the last flush have brought. */
  flush(): void {
    if (this.liveItems === 0) return;
    this.parts.pushed(this.liveItems);
    if (this.alone === null) this.outlet.write(deliverFrame(this.live));
    else this.outlet.writeFrame(this.alone.frame);
    this.live = '';
    this.liveItems = 0;
    this.alone = null;
    if (this.received < this.sent) this.expectReceived();
  }

  /** The inbox's head is at least this. */
  heard(head: number): void {
    if (head > this.known) this.known = head;
    if (this.mode !== 'pull') this.readOn();
  }

  /** Reads the inbox until everything known is sent, or the device has to catch up first. */
  readOn(): void {
    if (this.reading || this.ended || this.awaiting !== 0) return;
    if (this.sent >= this.known) {
      this.sendWaiting();
      return;
    }
    this.reading = true;
    this.parts.inboxes
      .page(this.user, this.sent, pageItems, { epoch: this.epoch })
      .then((page) => {
        this.reading = false;
        if (this.ended) return;
        this.writePage(page);
        this.readOn();
      })
      .catch((thrown: unknown) => {
        this.reading = false;
        if (!this.ended) this.parts.failed(this, thrown);
      });
  }

  private writePage(page: Page): void {
    this.flush();
    // What was received while the page was read is not sent any more.
    const above = ({ position }: { position: number }): boolean => position > this.sent;
    const items = page.items.filter((item) => above(item) && !this.isOwn(item));
    const gaps = page.gaps.filter(above);
    const own = page.items.filter((item) => above(item) && this.isOwn(item));
    if (this.given !== null) {
      for (const { text } of page.items) this.noteGiven(readHead(text));
      for (const { conversation, toSeq } of page.gaps) this.noteGiven({ conversation, seq: toSeq });
    }
    this.writeItems(items, gaps);
    for (const { position } of own) this.skipOwn(position);
    this.sent = Math.max(this.sent, page.next);
    this.known = Math.max(this.known, page.head, this.sent);
    if (items.length === 0 && gaps.length === 0) {
      if (this.received === this.sent) return;
      // Nothing stands between: a void left by a loss. The device need not confirm it.
      if (this.askAt === 0) this.received = this.sent;
      return;
    }
    if (page.more && page.next > this.received) this.awaiting = page.next;
    this.expectReceived();
  }

  private isOwn({ position, device }: PageItem): boolean {
    return device === this.device && position > this.liveFrom;
  }

  /** Items and gaps in one rising order of position; a gap comes before the item at its own position. */
  private writeItems(items: { position: number; text: string }[], gaps: Page['gaps']): void {
    let nextGap = 0;
    let joined = '';
    const writeJoined = () => {
      if (joined !== '') this.outlet.write(deliverFrame(joined));
      joined = '';
    };
    for (const { position, text } of items) {
      while (nextGap < gaps.length && gaps[nextGap]!.position <= position) {
        writeJoined();
        this.outlet.write(gapFrame(gaps[nextGap++]!));
      }
      joined = joined === '' ? itemText(position, text) : `${joined},${itemText(position, text)}`;
    }
    writeJoined();
    while (nextGap < gaps.length) this.outlet.write(gapFrame(gaps[nextGap++]!));
    this.parts.pushed(items.length);
  }

  /** The device has everything up to `position`. Rejects with `bad_request` when that is above the head. */
  async confirm(position: number): Promise<void> {
    if (position > this.known) {
      this.known = Math.max(this.known, await this.parts.inboxes.head(this.user));
      if (position > this.known) throw badRequest('position: above the head of the inbox');
    }
    if (position <= this.received) return;
    this.settle(position);
    if (this.mode !== 'lazy') this.parts.advance(this, this.received);
    if (this.mode !== 'pull') this.readOn();
  }

  private settle(position: number): void {
    this.received = position;
    while (this.own !== null && this.own.length > 0 && this.own[0]! <= this.received + 1) {
      this.received = Math.max(this.received, this.own.shift()!);
    }
    if (this.sent < this.received) this.sent = this.received;
    if (this.asked > 0) this.parts.delivered(this);
    this.asked = 0;
    this.again = 0;
    this.askAt = 0;
    if (this.received < this.sent) this.expectReceived();
    if (this.awaiting !== 0 && this.received >= this.awaiting) this.awaiting = 0;
  }

  /** The device's own message needs no receipt: its position moves over it once all before it is received. */
  private skipOwn(position: number): void {
    if (this.received === position - 1) {
      this.received = position;
      if (this.mode === 'push') this.parts.advance(this, position);
      return;
    }
    this.own ??= [];
    if (this.own.length < mostUnreceived) this.own.push(position);
  }

  private expectReceived(): void {
    if (this.mode !== 'pull' && this.askAt === 0) this.askAt = this.parts.now() + receiveWithinMs;
  }

  /** Called now and then: asks for a delivery job where something was not received in time. */
  remind(now: number): void {
    if (this.askAt === 0 || now < this.askAt || this.ended) return;
    if (this.asked === mostAsks) {
      this.giveUp();
      return;
    }
    this.asked += 1;
    this.askAt = now + askAgainMs;
    this.parts.deliverAgain(this);
  }

  /**
   * A delivery job's attempt: pushes again what was not received in time, at last gives the connection up. `stored` is
   * the device's position in Redis, which it may have moved on another way.
   */
  async pushAgain(stored: number): Promise<void> {
    if (stored > this.received && stored <= this.known) {
      this.settle(stored);
      this.readOn();
    }
    const now = this.parts.now();
    if (this.asked === 0 || now < this.restUntil || this.reading || this.ended) return;
    if (this.again === mostPushesAgain) {
      this.giveUp();
      return;
    }
    this.again += 1;
    this.restUntil = now + receiveWithinMs;
    const { sent } = this;
    const { items, gaps } = await this.parts.inboxes.page(this.user, this.received, pageItems, { epoch: this.epoch });
    if (this.ended) return;
    const due = items.filter((item) => item.position <= sent && item.position > this.received && !this.isOwn(item));
    this.writeItems(
      due,
      gaps.filter(({ position }) => position > this.received && position <= sent),
    );
    this.parts.pushedAgain(due.length);
  }

  private giveUp(): void {
    this.parts.undelivered(this, this.again + 1);
    this.outlet.close(closeCodes.tooSlow, 'pushed items were not received');
  }
}
