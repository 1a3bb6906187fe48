import type { WebSocketConstructor } from '../platform/web-socket.ts';
import type { Frame, Welcome } from '../wire.ts';

/** One connection, as its server sees it. */
export type PlayedPeer = {
  /** Everything that the client sent. */
  readonly frames: readonly Frame[];
  /** The next frame of a type that was not taken yet. */
  next(type: string): Promise<Frame>;
  say(frame: object): void;
  /** Ends the connection, by default as a lost network does. */
  end(code?: number, reason?: string): void;
};

export type PlayedServer = {
  /** For the option `webSocket` of the client. */
  readonly webSocket: WebSocketConstructor;
  nextPeer(): Promise<PlayedPeer>;
  /** Takes the next connection and welcomes it. */
  greet(fields?: Partial<Welcome>): Promise<{ peer: PlayedPeer; hello: Frame }>;
};

type Listener = (event: { data?: unknown; code?: number; reason?: unknown }) => void;

/** Things that come, and those who wait for one of them. */
function createQueue<Thing>() {
  const things: Thing[] = [];
  const waiting: { fits(thing: Thing): boolean; resolve(thing: Thing): void }[] = [];
  return {
    push(thing: Thing): void {
      const at = waiting.findIndex(({ fits }) => fits(thing));
      if (at >= 0) waiting.splice(at, 1)[0]!.resolve(thing);
      else things.push(thing);
    },
    next(fits: (thing: Thing) => boolean): Promise<Thing> {
      const at = things.findIndex(fits);
      if (at >= 0) return Promise.resolve(things.splice(at, 1)[0]!);
      return new Promise((resolve) => waiting.push({ fits, resolve }));
    },
  };
}

const defaultWelcome = {
  user: 'alice',
  device: 'phone',
  epoch: 'e1',
  position: 0,
  head: 0,
  unread: { total: 0, conversations: [], more: false },
  features: [],
  heartbeatMs: 25_000,
  expiresAt: 4_102_444_800_000,
  limits: {},
};

/**
 * A server inside the process that does nothing by itself: the test sends every frame. There is no network, so it works
 * with a clock that stands.
 */
export function playedServer(): PlayedServer {
  const peers = createQueue<PlayedPeer>();

  class PlayedWebSocket {
    readyState = 0;
    readonly #listeners: { type: string; run: Listener }[] = [];
    readonly #frames: Frame[] = [];
    readonly #unread = createQueue<Frame>();

    constructor(_url: string) {
      queueMicrotask(() => {
        if (this.readyState !== 0) return;
        this.readyState = 1;
        this.#report('open');
        peers.push({
          frames: this.#frames,
          next: (type) => this.#unread.next((frame) => frame.type === type),
          say: (frame) => queueMicrotask(() => this.#report('message', { data: JSON.stringify(frame) })),
          end: (code = 1006, reason = '') => this.#end(code, reason),
        });
      });
    }

    #report(type: string, event: Parameters<Listener>[0] = {}): void {
      if (type === 'message' && this.readyState !== 1) return;
      for (const one of this.#listeners) if (one.type === type) one.run(event);
    }

    #end(code: number, reason: string): void {
      if (this.readyState === 3) return;
      this.readyState = 3;
      queueMicrotask(() => this.#report('close', { code, reason }));
    }

    addEventListener(type: string, run: Listener): void {
      this.#listeners.push({ type, run });
    }

    send(text: string): void {
      const frame = JSON.parse(text) as Frame;
      this.#frames.push(frame);
      this.#unread.push(frame);
    }

    close(code = 1000, reason = ''): void {
      this.#end(code, reason);
    }
  }

  const nextPeer = (): Promise<PlayedPeer> => peers.next(() => true);
  return {
    webSocket: PlayedWebSocket,
    nextPeer,
    async greet(fields = {}) {
      const peer = await nextPeer();
      const hello = await peer.next('hello');
      peer.say({ type: 'welcome', re: hello.re, ...defaultWelcome, ...fields });
      return { peer, hello };
    },
  };
}
