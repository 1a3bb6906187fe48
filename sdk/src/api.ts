import type { BackoffRange } from './backoff.ts';
import type { Violation } from './tracker.ts';
import type {
  Accepted,
  Frame,
  Gap,
  HistoryPage,
  HistoryRequest,
  Item,
  Message,
  MessageClass,
  Mode,
  SendFrame,
  SeqRange,
  Target,
  Welcome,
} from './wire.ts';

/** What a device is to those who use it: see device.ts for how its states follow each other. */
export type DeviceState = 'idle' | 'connecting' | 'connected' | 'waiting' | 'closed';

export type StateDetail = { code?: number; reason?: string; waitMs?: number };

export type DeviceEvents = {
  state?(state: DeviceState, detail: StateDetail): void;
  welcome?(welcome: Welcome): void;
  /**
   * Every item that came in, in the order of its coming; `fresh` is false for what the device has already, be it from
   * history. One without a position came live in a conversation too large for inboxes: what is missed there comes as a
   * gap.
   */
  item?(item: Item, fresh: boolean): void;
  /** Seqs that only history has. Whoever wants them must note it before returning: the gap is confirmed afterwards. */
  gap?(gap: Gap): void;
  /** Everything up to here was handed over; the place to continue from after a restart. */
  position?(position: number, epoch: string): void;
  /** `again`: it had been accepted before a loss, and has a new answer now. */
  accepted?(send: SendFrame, accepted: Accepted, again: boolean): void;
  violation?(violation: Violation): void;
  /** Frames without a request that are none of the above. */
  frame?(frame: Frame): void;
};

export type DeviceOptions = {
  mode?: Mode;
  /** Where an earlier run of this device stopped. */
  position?: number;
  epoch?: string;
  /** Default 0.5 to 20 s. */
  reconnect?: BackoffRange;
  /** How long `received` is held back so that one covers many messages. Default 75 ms. */
  receivedDelayMs?: number;
  requestTimeoutMs?: number;
  handshakeMs?: number;
  random?: () => number;
  events?: DeviceEvents;
};

export type Draft = Target & { clientId?: string; kind: string; body: unknown; class?: MessageClass };

export type Device = {
  readonly state: DeviceState;
  readonly position: number;
  readonly epoch: string | undefined;
  readonly welcome: Welcome | undefined;
  /** Messages without an answer yet. */
  readonly unsent: number;
  /** Resolves when the server accepted, over any number of connections; rejects with a Refusal that is final. */
  send(draft: Draft): Promise<Accepted>;
  /** These repeat themselves over lost connections and `retryable` refusals; they reject when idle or closed. */
  history(request: HistoryRequest): Promise<HistoryPage>;
  /** What the device does not have of a gap. */
  missing(gap: SeqRange & { conversation: string }): SeqRange[];
  /** Reads that from history, and hands over each message once, in order. */
  fill(gap: SeqRange & { conversation: string }, take: (message: Message) => void): Promise<void>;
  /** Reads the inbox to its end, page by page: what a `pull` device does. Items and gaps come as events. */
  sync(limit?: number): Promise<void>;
  read(where: Target, seq: number): Promise<{ conversation: string; seq: number }>;
  /** Any other request, once: rejects with a Refusal or ConnectionLost. */
  request(frame: Frame): Promise<Frame>;
  online(): void;
  /** Resolves when the socket is gone. `cut` ends it without any handshake, as a lost network does. */
  offline(how?: { cut?: boolean }): Promise<void>;
  /** For good; what was not accepted is rejected. */
  close(): Promise<void>;
};
