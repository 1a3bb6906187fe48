import type { Socket } from 'node:net';
import { Refusal, toRefusal } from '../../shared/model/errors.ts';
import type { FaultPlace } from '../../shared/process/metrics.ts';
import type { ClientFrame } from '../../shared/protocol/client-frames.ts';
import { closeCodes } from '../../shared/protocol/close-codes.ts';
import { errorFrame } from '../../shared/protocol/frame-text.ts';
import { type Parsed, parseFrame } from '../../shared/protocol/parse.ts';
import type { Session } from '../session/session.ts';
import type { DeviceSocket, SocketHolder } from './device-socket.ts';
import { writeGathered } from './gathered-writes.ts';

/** What is waiting to be written to one socket may grow to this many bytes; beyond it the reader is too slow. */
const mostWaitingBytes = 2 * 1024 * 1024;
/**
 * Beyond this many open requests the socket is not read from until half of them are answered. Few: what waits here
 * under an overload costs memory and time that its delivery needs (16 in place of 64: 0.92 of the saturation rate at
 * twice of it, 0.85 before).
 */
const mostOpenRequests = 16;
const mostAbuses = 3;
/** Protocol pings of a client between two sweeps of pings; more are a flood. */
const mostPings = 500;

export type FrameOf<Type extends ClientFrame['type']> = ClientFrame<Type>;

/**
 * What connections hand their frames to. Every method answers with the text of the answering frame, if there is one.
 */
export type Dispatch = {
  hello(connection: Connection, frame: FrameOf<'hello'>): Promise<void>;
  send(connection: Connection, frame: FrameOf<'send'>): Promise<string>;
  received(connection: Connection, frame: FrameOf<'received'>): Promise<void>;
  /** Everything else: one at a time. */
  request(connection: Connection, frame: Exclude<ClientFrame, FrameOf<'hello' | 'send' | 'received'>>): Promise<string>;
  /** False when this connection has had too many refused: it is closed. */
  refused(connection: Connection, refusal: Refusal): boolean;
  /** An exception was contained. */
  faulted(where: FaultPlace, thrown: unknown): void;
  closing(code: number): void;
  /** Resolves when everything that the device has received is written. */
  closed(connection: Connection): Promise<void>;
};

/**
 * One WebSocket: bytes in, frames in order to the dispatch, bytes out.
 *
 *   greeting ──hello──▶ open ──▶ closed
 *
 * Frames are handled in their order. Sends are handed over in order and may be accepted together; every other request
 * waits until all before it are answered. Nothing is created before it is needed: an idle connection is this object and
 * its session.
 *
 * `write`, `close` and `faulted` never throw, so whoever goes over many connections may call them for each. Whatever
 * else throws for one connection is given to its `faulted`, which ends that one.
 */
export class Connection implements SocketHolder {
  readonly socket: DeviceSocket;
  readonly raw: Socket;
  private readonly dispatch: Dispatch;
  session: Session | null = null;
  /** Whether its token is a back end's. */
  service = false;
  /** When its token ends, milliseconds since 1970. */
  expiresAt = 0;
  /** When it was opened, by the monotonic clock, until it has said hello; 0 afterwards. */
  greetingSince: number;
  /** Whether anything was heard since the last protocol ping. */
  alive = true;
  /** Protocol pings since the last sweep. */
  pings = 0;
  private queue: Parsed[] | null = null;
  private busy = false;
  private sends = 0;
  private abuses = 0;
  private paused = false;
  private ended = false;

  constructor(socket: DeviceSocket, raw: Socket, dispatch: Dispatch, now: number) {
    this.socket = socket;
    this.raw = raw;
    this.dispatch = dispatch;
    this.greetingSince = now;
  }

  get isOpen(): boolean {
    return !this.ended && this.socket.readyState === 1;
  }

  /** Requests that are not answered yet. */
  get openRequests(): number {
    return this.sends + (this.queue?.length ?? 0) + (this.busy ? 1 : 0);
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
    if (this.pings > mostPings) this.close(closeCodes.tooMany, 'too many pings');
    else if (this.isOpen) this.socket.pong(data);
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
      else if (this.session === null) this.close(closeCodes.unauthenticated, 'the first frame must be hello');
      return true;
    }
    const { frame } = parsed;
    if (this.session === null) {
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
    const end = (answer: string | Refusal): void => {
      this.sends -= 1;
      this.answer(frame, answer);
    };
    this.dispatch.send(this, frame).then(end, (thrown: unknown) => end(toRefusal(thrown)));
    this.throttle();
  }

  private alone(work: Promise<string | void>, frame: ClientFrame): void {
    this.busy = true;
    const end = (answer: string | Refusal | void): void => {
      this.busy = false;
      this.answer(frame, answer);
    };
    work.then(end, (thrown: unknown) => end(toRefusal(thrown)));
  }

  /** A request is done: its answer is written, and what waited for it is handled. */
  private answer(frame: ClientFrame, answer: string | Refusal | void): void {
    try {
      if (answer instanceof Refusal) this.refuse(answer, frame.id, frame.type === 'send' ? frame.clientId : undefined);
      else if (answer !== undefined) this.write(answer);
      this.goOn();
    } catch (thrown) {
      this.faulted(thrown);
    }
  }

  /** Handles what waits, in its order. Handling a frame may close the connection, and then nothing waits any more. */
  private goOn(): void {
    const { queue } = this;
    while (queue !== null && queue.length > 0 && !this.ended && this.handle(queue[0]!)) queue.shift();
    if (queue?.length === 0) this.queue = null;
    if (this.paused && this.openRequests < mostOpenRequests / 2 && this.isOpen) {
      this.paused = false;
      this.socket.resume();
    }
  }

  /** Too many open requests: the socket is read more slowly, nothing is refused. */
  private throttle(): void {
    if (this.paused || this.openRequests < mostOpenRequests || !this.isOpen) return;
    this.paused = true;
    this.socket.pause();
  }

  write(text: string): void {
    try {
      if (this.takesMore()) writeGathered(this.socket, this.raw, text);
    } catch (thrown) {
      this.faulted(thrown);
    }
  }

  /**
   * The bytes of a whole frame, made once for many sockets. They go the way of all frames: none is compressed or waits
   * elsewhere.
   */
  writeFrame(frame: Buffer): void {
    try {
      if (this.takesMore()) this.raw.write(frame);
    } catch (thrown) {
      this.faulted(thrown);
    }
  }

  private takesMore(): boolean {
    if (!this.isOpen) return false;
    if (this.socket.bufferedAmount <= mostWaitingBytes) return true;
    this.close(closeCodes.tooSlow, 'too slow a reader');
    return false;
  }

  refuse(refusal: Refusal, re: string | undefined, clientId: string | undefined): void {
    const tolerated = this.dispatch.refused(this, refusal);
    this.write(errorFrame(re, clientId, refusal));
    if (!tolerated) this.close(closeCodes.tooMany, 'too many refused frames');
  }

  /**
   * Closes from this side, after what was received is written: whoever comes back at once, even to another gateway,
   * gets nothing of it again. A peer that does not answer the close is cut off by the server's close timeout.
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

  /** Something that belongs to this connection has thrown: it is noted, and this connection ends. */
  faulted(thrown: unknown, where: FaultPlace = 'socket'): void {
    this.dispatch.faulted(where, thrown);
    this.close(closeCodes.internal, 'a fault of the gateway');
  }

  /** The peer closes in good order: what it received is written before it is answered. */
  farewell(answer: () => void): void {
    if (this.ended) answer();
    else this.endThen(answer);
  }

  /** The socket is closed, whoever closed it. */
  end(): void {
    if (!this.ended) this.endThen(() => undefined);
  }

  private endThen(next: () => void): void {
    this.ended = true;
    if (this.session !== null) this.session.ended = true;
    this.queue = null;
    void this.written()
      .then(next)
      .catch((thrown: unknown) => {
        this.dispatch.faulted('socket', thrown);
        this.socket.terminate();
      });
  }

  /** What was received is written, or cannot be. */
  private async written(): Promise<void> {
    try {
      await this.dispatch.closed(this);
    } catch (thrown) {
      this.dispatch.faulted('socket', thrown);
    }
  }
}
