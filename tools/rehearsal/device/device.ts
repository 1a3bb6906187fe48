import type { BackoffRange } from '../../../sdk/src/backoff.ts';
import type { LinkState, LinkStatus } from '../../../sdk/src/link/api.ts';
import { createLink } from '../../../sdk/src/link/link.ts';
import type { Frame, HistoryPage, HistoryRequest } from '../../../sdk/src/wire.ts';
import { createInbox, type InboxEvents } from './inbox.ts';
import { createSends, type Sends } from './sends.ts';
import { RehearsalSocket } from './socket.ts';

/**
 * One device of a user, as rehearsals and tests run hundreds of: a link of the client package, a position, an outbox in
 * memory, and an audit of what comes. It keeps no messages: whoever wants them listens.
 */
export type Device = Pick<Sends, 'send'> & {
  readonly state: LinkState;
  readonly position: number;
  readonly epoch: string | undefined;
  /** Messages without an answer. */
  readonly unsent: number;
  /** Over lost connections and retryable refusals. Rejects with a final Refusal, or when idle or closed. */
  history(request: HistoryRequest): Promise<HistoryPage>;
  /** Whether the message is here: as an item, from history, or as its own. */
  has(conversation: string, seq: number): boolean;
  /** Reads the inbox to its end: what a `pull` device does. */
  sync(): Promise<void>;
  online(): void;
  /** `cut` ends the connection as a lost network does. */
  offline(how?: { cut?: boolean }): void;
  /** For good: what was not accepted is rejected. */
  close(): void;
};

export type DeviceEvents = InboxEvents & {
  status?(status: LinkStatus): void;
  /** Frames without a request that are none of the inbox's. */
  frame?(frame: Frame): void;
  /** A frame could not be read, or a token was not given. */
  fault?(error: Error, where: string): void;
};

export type DeviceOptions = {
  /** `ws://host:port`, or a function that picks one for each attempt. */
  url: string | (() => string);
  token(): string | Promise<string>;
  device: string;
  mode?: 'push' | 'pull';
  /** Default 0.5 to 20 s. */
  reconnect?: BackoffRange;
  requestTimeoutMs?: number;
  /** How long `received` is held back so that one covers many messages. Default 75 ms. */
  holdMs?: number;
  random?: () => number;
  events?: DeviceEvents;
};

/** Starts to connect at once. */
export function connectDevice(options: DeviceOptions): Device {
  const { mode = 'push', random = Math.random, events = {}, reconnect, requestTimeoutMs } = options;
  const fault = (error: Error, where: string): void => events.fault?.(error, where);

  const link = createLink({
    url: options.url,
    getToken: options.token,
    device: options.device,
    hello: () => ({ mode, ...inbox.hello() }),
    limits: {
      ...(reconnect === undefined ? {} : { reconnect }),
      ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    },
    webSocket: RehearsalSocket,
    random,
    events: {
      status(status) {
        if (status.state === 'closed')
          sends.discard(new Error(`the device is closed: ${status.reason ?? status.code}`));
        events.status?.(status);
      },
      welcome(welcome) {
        inbox.welcomed(welcome);
        if (welcome.reset === true && welcome.lostSince !== undefined) sends.repeatSince(welcome.lostSince);
      },
      open: () => sends.open(),
      pause: () => sends.pause(),
      frame(frame) {
        if (!inbox.frame(frame)) events.frame?.(frame);
      },
      fault,
    },
  });
  const inbox = createInbox({ link, holdMs: options.holdMs ?? 75, events, fault });
  const sends = createSends({ link, random, accepted: (message) => inbox.audit.own(message), fault });
  link.connect();

  return {
    get state() {
      return link.status.state;
    },
    get position() {
      return inbox.position;
    },
    get epoch() {
      return inbox.epoch;
    },
    get unsent() {
      return sends.unsent;
    },
    send: sends.send,
    async history(request) {
      const page = (await link.insist(() => ({ type: 'history', ...request }))) as unknown as HistoryPage;
      for (const message of page.messages) inbox.audit.fetched(message);
      return page;
    },
    has: inbox.audit.has,
    sync: inbox.sync,
    online: () => link.connect(),
    offline(how = {}) {
      if (how.cut !== true) inbox.flush();
      link.disconnect(how);
    },
    close() {
      inbox.flush();
      link.close();
    },
  };
}
