/** What the benchmark needs of a peer: how its server is started, and how a user connects, sends and receives. */
import type { Server } from '../cluster.ts';
import type { Stamp } from '../frames.ts';

export type Peer = {
  /** Why it cannot be measured here and how to get it, in one line; null if it can. May install it first. */
  missing: () => Promise<string | null>;
  /** Starts it on free ports, with its data in a directory that `stop` removes. */
  start: (env: NodeJS.ProcessEnv) => Promise<Server>;
};

export type PeerUserOptions = {
  port: number;
  /** The secret of the server that was started; empty if it has none. */
  authSecret: string;
  user: string;
  /** The user to whom all messages go. */
  partner: string;
  /** Messages of one read, in order. */
  onDelivered: (stamps: Stamp[]) => void;
  /** The server took responsibility for this message, as far as it does at all. */
  onAccepted: (number: number) => void;
  /** The server refused this message. */
  onRefused: (number: number, code: string) => void;
  onLost: (error: Error) => void;
};

export type PeerUser = {
  /** Sends messages with these stamps, in one write. */
  send: (stamps: Stamp[]) => void;
  close: () => Promise<void>;
};

/** Rejects if the user cannot connect. The user receives what is sent to it from now on. */
export type ConnectPeerUser = (options: PeerUserOptions) => Promise<PeerUser>;
