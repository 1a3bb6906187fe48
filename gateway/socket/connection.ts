import type { Socket } from 'node:net';
import { Refusal, toRefusal } from '../../shared/model/errors.ts';
import type { FaultPlace } from '../../shared/process/metrics.ts';
import type { ClientFrame } from '../../shared/protocol/client-frames.ts';
import { closeCodes } from '../../shared/protocol/close-codes.ts';
import { errorFrame } from '../../shared/protocol/frame-text.ts';
import { type Parsed, parseFrame } from '../../shared/protocol/parse.ts';
import type { Principal } from '../auth/authenticate.ts';
import type { Session } from '../session/session.ts';
import type { DeviceSocket, SocketHolder } from './device-socket.ts';
import { flushGathered, gatheredLength, writeGathered } from './gathered-writes.ts';

/** A client has to say hello within this time (ms). */
const helloWithinMs = 5000;
/** A socket outlives its token by this long, which leaves time for a `reauth` (ms). */
const expiryGraceMs = 20_000;
/** Maximum bytes that wait to be written to one socket; beyond them the reader is too slow. */
const mostWaitingBytes = 2 * 1024 * 1024;
/**
 * Back-pressure: at this many open requests the socket is not read until half of them are answered. The number is low
 * because requests that wait here take memory and time from delivery. Measured at twice the saturation rate: 16 keeps
 * 0.92 of the saturation rate, 64 kept 0.85.
 */
const mostOpenRequests = 16;
/** At this many answers that wait for their level, the socket is not read until half of them are written. */
const mostUnwrittenAnswers = 1024;
const mostAbuses = 3;
/** Maximum protocol pings of a client between two heartbeats; more are a flood. */
const mostPings = 500;

export type FrameOf<Type extends ClientFrame['type']> = ClientFrame<Type>;

/** The rights that a token gives to a connection. */
export type Rights = Pick<Principal, 'expiresAt' | 'service'>;

/** An answer that comes later. While it waits, nothing else does. `end` is called once. */
export type Later = (end: (answer: string | Refusal) => void) => void;

/** Handles the frames of all connections. A resolved string is the text of the answering frame. */
export type Dispatch = {
  hello(connection: Connection, frame: FrameOf<'hello'>): Promise<void>;
  send(connection: Connection, frame: FrameOf<'send'>): Promise<string | Later>;
  received(connection: Connection, frame: FrameOf<'received'>): Promise<void>;
  /** Has no answer, and nothing waits for it. */
  typing(connection: Connection, frame: FrameOf<'typing'>): Promise<void>;
  /** All other frames, one at a time for each connection. */
  request(
    connection: Connection,
    frame: Exclude<ClientFrame, FrameOf<'hello' | 'send' | 'received' | 'typing'>>,
  ): Promise<string | Later>;
  /** A frame is refused. False if this connection has had too many refused, which closes it. */
  refused(connection: Connection, refusal: Refusal): boolean;
  /** An exception was contained. */
  faulted(where: FaultPlace, thrown: unknown): void;
  /** This side closes with this code. */
  closing(code: number): void;
  /** Resolves when everything that the device has received is written. */
  closed(connection: Connection): Promise<void>;
};

/**
 * One WebSocket: bytes in, frames in order to the dispatch, bytes out.
 *
 *   greeting ──welcome()──▶ open ──▶ closed
 *
 *   greeting   only hello is handled; closed if it does not come in 5 s
 *   open       all frames are handled; closed 20 s after the token has expired, unless renew() came
 *   closed     nothing is handled or written
 *
 * Either side can close at any time; this side does so after abuse, a flood, a fault, or for too slow a reader. The
 * file is long because the order of frames, back-pressure and closing change the same state.
 *
 * Frames are handled in their order. Sends are handed over in order and may be accepted together. Every other request
 * waits until all before it are answered. Nothing is created before it is needed: an idle connection is this object and
 * its session.
 *
 * `write`, `close` and `faulted` never throw, so a loop over many connections may call them. If anything else throws
 * for one connection, give it to `faulted`, which ends that one.
 */
export class Connection implements SocketHolder {
  readonly socket: DeviceSocket;
  readonly raw: Socket;
  private readonly dispatch: Dispatch;
  /** When the socket was opened, by the monotonic clock (whole ms: a fraction would take memory of its own). */
  private readonly openedAt: number;
  private welcomed: Session | null = null;
  private clientName: string | null = null;
  private isService = false;
  /** When the token expires, in milliseconds since 1970. */
  private expiresAt = 0;
  /** Whether anything was heard since the last heartbeat. */
  private alive = true;
  /** Protocol pings of the peer since the last heartbeat. */
  private pings = 0;
  private queue: Parsed[] | null = null;
  private busy = false;
  private sends = 0;
  /** Answers to accepted sends and amends that wait for their level. */
  private later = 0;
  private abuses = 0;
  private paused = false;
  private ended = false;

  constructor(socket: DeviceSocket, raw: Socket, dispatch: Dispatch, now: number) {
    this.socket = socket;
    this.raw = raw;
    this.dispatch = dispatch;
    this.openedAt = Math.floor(now);
  }

  /** Null until the hello is accepted. */
  get session(): Session | null {
    return this.welcomed;
  }

  /** What the client calls itself; null if it has not said. */
  get client(): string | null {
    return this.clientName;
  }

  /** Whether the token is a back end's. */
  get service(): boolean {
    return this.isService;
  }

  get isOpen(): boolean {
    return !this.ended && this.socket.readyState === 1;
  }

  /** Requests that are not answered yet. */
  get openRequests(): number {
    return this.sends + (this.queue?.length ?? 0) + (this.busy ? 1 : 0);
  }

  /** Answers that are still to be written. */
  get unanswered(): number {
    return this.openRequests + this.later;
  }

  /** The hello is accepted. */
  welcome(session: Session, rights: Rights, client: string | null = null): void {
    this.welcomed = session;
    this.clientName = client;
    this.renew(rights);
  }

  /** A token of the same user replaces the present one. */
  renew({ expiresAt, service }: Rights): void {
    this.expiresAt = expiresAt;
    this.isService = service;
  }

  /** Checks the deadlines: `now` by the monotonic clock, `today` by the wall clock (ms). May throw. */
  tick(now: number, today: number): void {
    if (this.welcomed === null) {
      const isLate = now - this.openedAt > helloWithinMs && this.openRequests === 0;
      if (isLate) this.close(closeCodes.noHello, 'no hello in time');
    } else if (today > this.expiresAt + expiryGraceMs) {
      this.close(closeCodes.unauthenticated, 'the token has expired');
    } else {
      this.welcomed.remind(now);
    }
  }

  /** One heartbeat: cuts off a peer that was silent since the last one, and pings any other. May throw. */
  beat(): void {
    this.pings = 0;
    if (!this.alive) {
      this.socket.terminate();
      return;
    }
    this.alive = false;
    if (!this.isOpen) return;
    flushGathered(this.raw);
    this.socket.ping();
  }

  /** The process was stopped for a while: what the peer has sent meanwhile is not read yet. */
  assumeAlive(): void {
    this.alive = true;
  }

  /** One message of the socket. */
  take(data: Buffer, isBinary: boolean): void {
    this.alive = true;
    if (this.ended) return;
    const parsed: Parsed = isBinary
      ? { refusal: new Refusal('bad_frame', 'frames are text'), re: undefined, clientId: undefined, abuse: true }
      : parseFrame(data.toString());
    if (this.queue !== null || !this.handle(parsed)) {
      (this.queue ??= []).push(parsed);
      this.throttle();
    }
  }

  pinged(data: Buffer): void {
    this.alive = true;
    this.pings += 1;
    if (this.pings > mostPings) return this.close(closeCodes.tooMany, 'too many pings');
    if (!this.isOpen) return;
    flushGathered(this.raw);
    this.socket.pong(data);
  }

  ponged(): void {
    this.alive = true;
  }

  /** Handles a frame if it is its turn. */
  private handle(parsed: Parsed): boolean {
    if (this.busy) return false;
    if ('refusal' in parsed) {
      if (this.sends > 0) return false;
      this.refuse(parsed.refusal, parsed.re, parsed.clientId);
      if (parsed.abuse && ++this.abuses >= mostAbuses) this.close(closeCodes.abuse, 'not the protocol');
      else if (this.welcomed === null) this.close(closeCodes.unauthenticated, 'the first frame must be hello');
      return true;
    }
    const { frame } = parsed;
    if (this.welcomed === null) {
      if (frame.type === 'hello') this.alone(this.dispatch.hello(this, frame), frame);
      else {
        this.refuse(new Refusal('unauthenticated', 'the first frame must be hello'), frame.id, undefined);
        this.close(closeCodes.unauthenticated, 'the first frame must be hello');
      }
      return true;
    }
    switch (frame.type) {
      case 'send':
        this.startSend(frame);
        return true;
      case 'received':
        this.dispatch.received(this, frame).catch((thrown: unknown) => this.answer(frame, toRefusal(thrown)));
        return true;
      case 'typing':
        this.dispatch.typing(this, frame).catch((thrown: unknown) => this.answer(frame, toRefusal(thrown)));
        return true;
      case 'hello':
        if (this.sends > 0) return false;
        this.refuse(new Refusal('bad_request', 'hello was said already'), frame.id, undefined);
        return true;
      default:
        if (this.sends > 0) return false;
        this.alone(this.dispatch.request(this, frame), frame);
        return true;
    }
  }

  private startSend(frame: FrameOf<'send'>): void {
    this.sends += 1;
    const end = (answer: string | Refusal | Later): void => {
      this.sends -= 1;
      if (typeof answer === 'function') this.answerLater(frame, answer);
      else this.answer(frame, answer);
    };
    this.dispatch.send(this, frame).then(end, (thrown: unknown) => end(toRefusal(thrown)));
    this.throttle();
  }

  /** The send or amend is accepted, so it is no open request any more. */
  private answerLater(frame: ClientFrame, later: Later): void {
    this.later += 1;
    try {
      later((answer) => {
        this.later -= 1;
        this.answer(frame, answer);
      });
      this.goOn();
      this.throttle();
    } catch (thrown) {
      this.faulted(thrown);
    }
  }

  private alone(work: Promise<string | Later | void>, frame: ClientFrame): void {
    this.busy = true;
    const end = (answer: string | Refusal | Later | void): void => {
      this.busy = false;
      if (typeof answer === 'function') this.answerLater(frame, answer);
      else this.answer(frame, answer);
    };
    work.then(end, (thrown: unknown) => end(toRefusal(thrown)));
  }

  /** A request is done: writes its answer, then handles what has waited for it. */
  private answer(frame: ClientFrame, answer: string | Refusal | void): void {
    try {
      if (answer instanceof Refusal) this.refuse(answer, frame.id, frame.type === 'send' ? frame.clientId : undefined);
      else if (answer !== undefined) this.write(answer);
      this.goOn();
    } catch (thrown) {
      this.faulted(thrown);
    }
  }

  /** Handles waiting frames in their order. One of them may close the connection, which empties the queue. */
  private goOn(): void {
    const { queue } = this;
    while (queue !== null && queue.length > 0 && !this.ended && this.handle(queue[0]!)) queue.shift();
    if (queue?.length === 0) this.queue = null;
    const isRelieved = this.openRequests < mostOpenRequests / 2 && this.later <= mostUnwrittenAnswers / 2;
    if (this.paused && isRelieved && this.isOpen) {
      this.paused = false;
      this.socket.resume();
    }
  }

  /** Too many open requests, or answers that wait: stops reading from the socket. Nothing is refused. */
  private throttle(): void {
    if (this.paused || (this.openRequests < mostOpenRequests && this.later < mostUnwrittenAnswers) || !this.isOpen)
      return;
    this.paused = true;
    this.socket.pause();
  }

  write(text: string): void {
    try {
      if (this.takesMore()) writeGathered(this, this.raw, text);
    } catch (thrown) {
      this.faulted(thrown);
    }
  }

  /** Writes the bytes of a whole frame, which many sockets share. */
  writeFrame(frame: Buffer): void {
    try {
      if (!this.takesMore()) return;
      flushGathered(this.raw);
      this.raw.write(frame);
    } catch (thrown) {
      this.faulted(thrown);
    }
  }

  private takesMore(): boolean {
    if (!this.isOpen) return false;
    if (this.waitingBytes <= mostWaitingBytes) return true;
    this.close(closeCodes.tooSlow, 'too slow a reader');
    return false;
  }

  get waitingBytes(): number {
    return this.socket.bufferedAmount + gatheredLength(this.raw);
  }

  refuse(refusal: Refusal, re: string | undefined, clientId: string | undefined): void {
    const tolerated = this.dispatch.refused(this, refusal);
    this.write(errorFrame(re, clientId, refusal));
    if (!tolerated) this.close(closeCodes.tooMany, 'too many refused frames');
  }

  /**
   * Closes from this side, after the received position is written: a device that comes back at once, even to another
   * gateway, gets nothing twice. ws cuts off a peer that does not answer the close.
   */
  close(code: number, why: string): void {
    if (this.ended) return;
    this.endThen(() => {
      this.socket.closeNow(code, why);
      // A paused socket would never see the peer's answer to the close.
      if (this.paused) this.socket.resume();
    });
    this.dispatch.closing(code);
  }

  /** Something that belongs to this connection has thrown: notes it, and ends this connection. */
  faulted(thrown: unknown, where: FaultPlace = 'socket'): void {
    this.dispatch.faulted(where, thrown);
    this.close(closeCodes.internal, 'a fault of the gateway');
  }

  /** The peer closes in good order. Its received position is written before the close is answered. */
  farewell(answer: () => void): void {
    if (this.ended) answer();
    else this.endThen(answer);
  }

  /** The socket is closed, by either side. */
  end(): void {
    if (!this.ended) this.endThen(() => undefined);
  }

  private endThen(next: () => void): void {
    this.ended = true;
    flushGathered(this.raw);
    this.welcomed?.end();
    this.queue = null;
    void this.written()
      .then(next)
      .catch((thrown: unknown) => {
        this.dispatch.faulted('socket', thrown);
        this.socket.terminate();
      });
  }

  /** Resolves when the received position is written, or cannot be written. */
  private async written(): Promise<void> {
    try {
      await this.dispatch.closed(this);
    } catch (thrown) {
      this.dispatch.faulted('socket', thrown);
    }
  }
}
