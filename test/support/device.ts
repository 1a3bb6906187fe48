import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';
import { serverFrames } from '../../shared/protocol/server-frames.ts';
import { fromInbox, type Frame, type FrameType, type Gap, type Item, type Message, type PushedItem } from './frames.ts';

const withinMs = 10_000;

/**
 * A bare client: it answers, confirms and repeats nothing by itself, so a test sees exactly what the server sends.
 * Every frame is validated against the published schema of its type.
 */
export class Device {
  readonly socket: WebSocket;
  /** Every frame that arrived, in order. */
  readonly frames: Frame[] = [];
  /** The same frames as text. */
  readonly texts: string[] = [];
  /** Resolves when either side closes the socket. */
  readonly closed: Promise<{ code: number; reason: string }>;
  private readonly watchers = new Set<() => void>();
  private fault: Error | null = null;
  private ended: { code: number; reason: string } | null = null;
  private requests = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data, isBinary) => {
      const text = (data as Buffer).toString();
      if (isBinary) this.fault = new Error('the server sent a binary frame');
      this.take(text);
      this.changed();
    });
    socket.on('error', (error) => {
      this.fault ??= error;
      this.changed();
    });
    this.closed = new Promise((resolve) =>
      socket.on('close', (code, reason) => {
        this.ended = { code, reason: reason.toString() };
        resolve(this.ended);
        this.changed();
      }),
    );
  }

  private take(text: string): void {
    const frame = JSON.parse(text) as Frame;
    const schema = serverFrames[frame.type];
    const found = schema?.safeParse(frame);
    if (!found?.success)
      this.fault ??= new Error(`not a server frame: ${text.slice(0, 500)}\n${found?.error.message ?? ''}`);
    this.frames.push(frame);
    this.texts.push(text);
  }

  private changed(): void {
    for (const watcher of this.watchers) watcher();
  }

  send(frame: object): void {
    this.sendText(JSON.stringify(frame));
  }

  sendText(text: string | Buffer, binary = false): void {
    this.socket.send(text, { binary });
  }

  /** Sends a frame with an `id` of its own and resolves with the frame that answers it. */
  request<Type extends FrameType>(frame: object, answer: Type): Promise<Frame<Type>> {
    const id = `request-${++this.requests}`;
    this.send({ ...frame, id });
    return this.until(`the answer to ${JSON.stringify(frame).slice(0, 200)}`, () => {
      const found = this.frames.find((one) => one.re === id);
      if (found === undefined) return undefined;
      if (found.type !== answer) throw new Error(`${answer} expected, got ${JSON.stringify(found).slice(0, 500)}`);
      return found as unknown as Frame<Type>;
    });
  }

  /** All frames of a type so far. */
  all<Type extends FrameType>(type: Type): Frame<Type>[] {
    return this.frames.filter((frame) => frame.type === type) as unknown as Frame<Type>[];
  }

  /** The first matching frame of a type, including one that arrived earlier. */
  find<Type extends FrameType>(type: Type, fits: (frame: Frame<Type>) => boolean = () => true): Promise<Frame<Type>> {
    return this.until(`a frame ${type}`, () => this.all(type).find(fits));
  }

  /**
   * Resolves with the first answer that is neither undefined nor false; asks again after every frame. Rejects at the
   * deadline.
   */
  until<Answer>(what: string, ask: () => Answer | undefined | false, deadlineMs = withinMs): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.watchers.delete(look);
      };
      const look = (): void => {
        try {
          if (this.fault !== null && this.ended === null) throw this.fault;
          const answer = ask();
          if (answer !== undefined && answer !== false) {
            settle();
            resolve(answer);
          } else if (this.ended !== null) {
            throw new Error(
              `waiting for ${what}, but closed with ${this.ended.code} ${this.ended.reason}; ${this.lastFrames()}`,
            );
          }
        } catch (thrown) {
          settle();
          reject(thrown);
        }
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`${what} did not come within ${deadlineMs} ms; ${this.lastFrames()}`));
      }, deadlineMs);
      this.watchers.add(look);
      look();
    });
  }

  private lastFrames(): string {
    return `last frames: ${
      this.texts
        .slice(-5)
        .map((text) => text.slice(0, 300))
        .join('\n') || 'none'
    }`;
  }

  /** Every item delivered so far, in order, with or without a position. */
  get pushed(): PushedItem[] {
    return this.all('deliver').flatMap(({ items }) => items);
  }

  /** The same, for tests in which every item must have a position. */
  get items(): Item[] {
    return fromInbox(this.pushed);
  }

  /** The messages that came without a position. */
  get unplaced(): Message[] {
    return this.pushed.flatMap(({ position, message }) => (position === undefined ? [message] : []));
  }

  get gaps(): Gap[] {
    return this.all('gap');
  }

  /** The bodies of everything delivered so far. */
  get bodies(): unknown[] {
    return this.pushed.map(({ message }) => message.body);
  }

  received(position: number): void {
    this.send({ type: 'received', position });
  }

  /** Receives whatever comes from now on, as a client does: what is not received within 5 s is pushed again. */
  confirm(): void {
    let confirmed = 0;
    this.socket.on('message', () => {
      const position = Math.max(0, ...this.pushed.map((item) => item.position ?? 0));
      if (position > confirmed) this.received((confirmed = position));
    });
  }

  /** Resolves when the server has handled everything sent before on this socket: a ping waits its turn. */
  async settle(): Promise<Frame<'pong'>> {
    return this.request({ type: 'ping' }, 'pong');
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

/** Connects without saying hello. Rejects with the status in the message when the upgrade is refused. */
export async function openDevice(url: string, options: ClientOptions & { protocols?: string[] } = {}): Promise<Device> {
  const { protocols = ['restante.v1'], ...rest } = options;
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...rest });
  const device = new Device(socket);
  const refused = new Promise<never>((_, reject) => {
    socket.once('unexpected-response', (_request, response) => {
      reject(new Error(`refused with ${response.statusCode}`));
      socket.terminate();
    });
  });
  await Promise.race([once(socket, 'open'), refused]);
  return device;
}
