import { badRequest } from '../../shared/model/errors.ts';
import { pageItems } from '../../shared/model/limits.ts';
import type { Page, PageItem } from '../../shared/model/results.ts';
import { closeCodes } from '../../shared/protocol/close-codes.ts';
import { itemText, progressOf } from '../../shared/protocol/frame-text.ts';
import { type Attached } from '../../shared/redis/inboxes/devices.ts';
import { type HintResult, writeHint } from './hint-writing.ts';
import { LargeOrder } from './large-order.ts';
import { LiveBatch } from './live-batch.ts';
import type { Outlet } from './outlet.ts';
import { OwnPositions } from './own-positions.ts';
import { PacedHints } from './paced-hints.ts';
import { writePageFrames } from './page-frames.ts';
import { ReceivedTrail, type Sender } from './received-trail.ts';
import { Redelivery } from './redelivery.ts';
import type { Mode, SessionParts, SessionState } from './session-parts.ts';
import type { SharedFrame } from './shared-frame.ts';

/** Maximum unreceived items per device; the rest stay in the inbox. */
const mostUnreceived = 1000;

/**
 * The push cursor: one connected device and its place in the user's inbox.
 *
 *   received <= sent <= known
 *
 *   known     the highest head of the inbox that this gateway has heard of
 *   sent      the highest position handed to the socket, or skipped as the device's own
 *   received  the highest position up to which the device has everything
 *
 *   sent = known   live: the next push goes straight to the socket
 *   sent < known   behind: the inbox is read in pages, and a push only raises `known`
 *
 * While `awaiting` is set nothing is sent until the device has received that position. This is the back-pressure
 * between the pages of a backlog, and when too many items are unreceived. A page sends only what is above `sent`, so no
 * race can send anything twice or out of order (checked with an explicit-state model).
 *
 * Items of one payload are joined in live-batch.ts, large groups keep their order in large-order.ts, and redelivery.ts
 * decides what an unreceived item leads to. The rest is one file because every rule changes the same
 * three positions.
 */
export class Session implements SessionState {
  readonly user: string;
  readonly device: string;
  readonly id: string;
  readonly mode: Mode;
  readonly epoch: string;
  known: number;
  sent: number;
  received: number;
  private isEnded = false;
  private readonly outlet: Outlet;
  private readonly parts: SessionParts;
  private reading = false;
  private awaiting = 0;
  /** Maximum items of a page that comes unasked; the device chooses. */
  private mostItems: number;
  /** The head at hello. The device's own messages above it are never sent to it, not even in a page of the inbox. */
  private readonly liveFrom: number;
  // Each of these is created when it is first needed: an idle session is this object alone.
  private own: OwnPositions | null = null;
  private live: LiveBatch | null = null;
  /** Set once the user has large groups. */
  private large: LargeOrder | null = null;
  private redelivery: Redelivery | null = null;
  private paced: PacedHints | null = null;
  private trail: ReceivedTrail | null = null;
  /** Hints that wait for `welcome`; null once it is written. */
  private held: string[] | null = null;

  constructor(
    user: string,
    device: string,
    id: string,
    mode: Mode,
    attached: Attached,
    outlet: Outlet,
    parts: SessionParts,
    mostItems: number = pageItems,
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
    this.mostItems = mostItems;
  }

  /** The connection is closed: nothing is read or written any more. */
  end(): void {
    this.isEnded = true;
  }

  get ended(): boolean {
    return this.isEnded;
  }

  /** Until `release`, pushes are only hints: nothing may be written before `welcome`. */
  hold(): void {
    this.reading = true;
    this.held = [];
  }

  release(): void {
    this.reading = false;
    const held = this.held ?? [];
    this.held = null;
    for (const text of held) this.hint(text);
    if (this.mode !== 'pull') this.readOn();
  }

  /**
   * The user's large groups were caught up while this session was held: their gaps stand above `headBefore`, up to
   * `head`. A lazy device starts after them, as after everything that was in the inbox when it connected.
   */
  caughtUp(headBefore: number, head: number): void {
    this.known = Math.max(this.known, head);
    if (this.mode === 'push' || headBefore !== this.sent) return;
    this.sent = head;
    this.received = head;
  }

  /** One push of this gateway's channel. `own` when this device sent the message. `flush` writes it. */
  deliver(position: number, text: string, own: boolean): void {
    // Usually a page had it before its push arrived.
    if (position <= this.sent) return this.parts.fellBack(this);
    if (this.mode === 'pull' || position !== this.sent + 1 || !this.isLive) {
      this.heard(position);
      return;
    }
    this.sent = position;
    this.known = position;
    if (this.large !== null) this.large.noteText(text);
    if (own) {
      this.skipOwn(position);
      return;
    }
    this.handed(position, text);
    this.addLive(itemText(position, text));
    if (position - this.received >= mostUnreceived) this.awaiting = position;
  }

  /** From now on messages of large groups may come. */
  followLarge(): void {
    this.large ??= new LargeOrder();
  }

  /** One message of a large group. `flush` writes it. */
  deliverLarge(item: SharedFrame): void {
    if (this.mode === 'pull') return;
    this.large ??= new LargeOrder();
    if (!this.isLive) this.large.keep(item);
    else if (!this.large.isGiven(item)) this.addLive(item.text, item);
  }

  /** Writes a frame that moves nothing. Null if this device gets no hints. */
  hint(text: string): HintResult | null {
    if (this.mode === 'pull' || this.isEnded) return null;
    const progress = progressOf(text);
    if (progress !== null) {
      this.paced ??= new PacedHints();
      const pace = this.paced.take(progress.key, progress.seq, text, this.parts.now());
      if (pace === 'wait') return null;
      if (pace === 'coalesced') return pace;
    }
    return writeHint(this.outlet, this.held, text);
  }

  /** Everything known to be in the inbox was sent, and nothing is read or awaited. */
  private get isLive(): boolean {
    return !this.reading && this.awaiting === 0 && this.sent >= this.known;
  }

  private addLive(item: string, shared: SharedFrame | null = null): void {
    this.live ??= new LiveBatch();
    if (!this.live.hasRoomFor(item)) this.flush();
    this.live.add(item, shared);
  }

  /** Call it when everything in the inbox is sent. */
  private sendWaiting(order: LargeOrder): void {
    const waiting = order.takeWaiting();
    if (waiting !== null) {
      for (const item of waiting) if (!order.isGiven(item)) this.addLive(item.text, item);
      this.flush();
    }
    if (order.takeMissed()) this.parts.missedLarge(this);
  }

  /** Writes what the pushes since the last flush have brought. Call it at the end of each payload. */
  flush(): void {
    if (this.live === null || this.live.size === 0) return;
    this.parts.pushed(this.live.size);
    this.live.writeTo(this.outlet);
    if (this.received < this.sent) this.expectReceived();
  }

  /** The head of the inbox is at least this. */
  heard(head: number): void {
    if (head > this.known) this.known = head;
    if (this.mode !== 'pull') this.readOn();
  }

  /** Reads the inbox page by page until everything known is sent, or the device has to receive first. */
  readOn(): void {
    if (this.reading || this.isEnded || this.awaiting !== 0) return;
    if (this.sent >= this.known) {
      if (this.large !== null) this.sendWaiting(this.large);
      return;
    }
    this.reading = true;
    this.parts.inboxes
      .page(this.user, this.sent, this.mostItems, { epoch: this.epoch })
      .then((page) => {
        this.reading = false;
        if (this.isEnded) return;
        // While the page was read, the device may have asked for smaller ones.
        if (page.items.length <= this.mostItems) this.writePage(page);
        this.readOn();
      })
      .catch((thrown: unknown) => {
        this.reading = false;
        if (this.isEnded) return;
        this.parts.failed(this, thrown);
        this.outlet.close(closeCodes.restart, 'the inbox cannot be read now');
      });
  }

  private writePage(page: Page): void {
    this.flush();
    // `sent` may have moved while the page was read: the device can confirm positions that it got by HTTP.
    const above = ({ position }: { position: number }): boolean => position > this.sent;
    const items = page.items.filter((item) => above(item) && !this.isOwn(item));
    const gaps = page.gaps.filter(above);
    const own = page.items.filter((item) => above(item) && this.isOwn(item));
    if (this.large !== null) {
      for (const { text } of page.items) this.large.noteText(text);
      for (const { conversation, toSeq } of page.gaps) this.large.noteGiven(conversation, toSeq);
    }
    for (const { position, text } of items) this.handed(position, text);
    this.writeItems(items, gaps);
    for (const { position } of own) this.skipOwn(position);
    this.sent = Math.max(this.sent, page.next);
    this.known = Math.max(this.known, page.head, this.sent);
    if (items.length === 0 && gaps.length === 0) {
      // The positions are empty after a loss. The device cannot confirm what it never gets.
      if (this.redelivery?.isExpecting !== true) this.received = this.sent;
      return;
    }
    if (page.more && page.next > this.received) this.awaiting = page.next;
    this.expectReceived();
  }

  private isOwn({ position, device }: PageItem): boolean {
    return device === this.device && position > this.liveFrom;
  }

  private writeItems(items: PageItem[], gaps: Page['gaps']): void {
    writePageFrames(this.outlet, items, gaps);
    this.parts.pushed(items.length);
  }

  /** From now on a page that comes unasked holds at most this many items. */
  pace(mostItems: number): void {
    this.mostItems = mostItems;
  }

  /** The device has everything up to `position`. Rejects with `bad_request` if that is above the head. */
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
    const from = this.received;
    this.received = this.own === null ? position : this.own.moveOver(position);
    if (this.sent < this.received) this.sent = this.received;
    this.noteReceived(from);
    if (this.redelivery?.receive() === true) this.parts.cancelRedelivery(this);
    if (this.received < this.sent) this.expectReceived();
    if (this.awaiting !== 0 && this.received >= this.awaiting) this.awaiting = 0;
  }

  /** An item of the inbox goes to the device; also one of a page that it has asked for. */
  handed(position: number, text: string): void {
    if (!this.parts.takesPart(this.user)) return;
    this.trail ??= new ReceivedTrail();
    this.trail.note(position, text);
  }

  /** Who wrote lately in a conversation, of what was handed to this device. */
  sendersOf(conversation: string): Sender[] {
    return this.trail?.sendersOf(conversation) ?? [];
  }

  private noteReceived(from: number): void {
    if (!this.parts.takesPart(this.user)) return;
    const all = this.trail?.take(this.received) ?? null;
    if (all !== null) this.parts.receivedOf(this, all);
    else this.parts.receivedUnseen(this, from, this.received);
  }

  /** The device's own message needs no receipt: `received` moves over it once everything before it is received. */
  private skipOwn(position: number): void {
    if (this.received === position - 1) {
      this.received = position;
      if (this.mode === 'push') this.parts.advance(this, position);
      return;
    }
    this.own ??= new OwnPositions();
    this.own.add(position);
  }

  private expectReceived(): void {
    if (this.mode === 'pull') return;
    this.redelivery ??= new Redelivery();
    if (!this.redelivery.isExpecting) this.redelivery.expect(this.parts.now());
  }

  /** Called now and then: writes hints that have waited, and asks for a redelivery job if something is due. */
  remind(now: number): void {
    if (this.paced !== null && this.held === null) for (const text of this.paced.due(now)) this.writePaced(text);
    if (this.redelivery === null || this.isEnded) return;
    const due = this.redelivery.remind(now);
    if (due === 'ask') this.parts.requestRedelivery(this);
    if (due === 'give up') this.giveUp(this.redelivery);
  }

  /**
   * An attempt of a redelivery job: pushes again what was not received in time, and at last gives the connection up.
   * `stored` is the device's position in Redis, which it may have moved by HTTP meanwhile.
   */
  async pushAgain(stored: number): Promise<void> {
    if (stored > this.received && stored <= this.known) {
      this.settle(stored);
      this.readOn();
    }
    if (this.redelivery === null || this.reading || this.isEnded) return;
    const due = this.redelivery.attempt(this.parts.now());
    if (due === 'give up') this.giveUp(this.redelivery);
    if (due !== 'push') return;
    const { sent } = this;
    const { items, gaps } = await this.parts.inboxes.page(this.user, this.received, this.mostItems, {
      epoch: this.epoch,
    });
    if (this.isEnded) return;
    // What was sent or received while the page was read is not written again.
    const isDue = ({ position }: { position: number }): boolean => position > this.received && position <= sent;
    const unreceived = items.filter((item) => isDue(item) && !this.isOwn(item));
    this.writeItems(unreceived, gaps.filter(isDue));
    this.parts.pushedAgain(unreceived.length);
  }

  private writePaced(text: string): void {
    this.parts.hinted(text, writeHint(this.outlet, null, text));
  }

  private giveUp({ pushes }: Redelivery): void {
    this.parts.undelivered(this, pushes);
    this.outlet.close(closeCodes.tooSlow, 'pushed items were not received');
  }
}
