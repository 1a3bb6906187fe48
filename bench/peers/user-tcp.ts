import type { Stamp } from '../frames.ts';
import type { PeerUserOptions } from './peer.ts';
import { openTcp, type TcpConnection } from './tcp.ts';

export type UserTcpOptions = Pick<PeerUserOptions, 'port' | 'user' | 'onDelivered' | 'onLost'> & {
  /**
   * Reads what arrived, whose end may be an incomplete message. Adds the stamps of messages to `stamps`, and returns
   * how much of it was used and what is to be answered.
   */
  read: (text: string, stamps: Stamp[]) => { used: number; out: string };
  /** Rejected when the connection is lost: who waits for the session hears of it. */
  ready: PromiseWithResolvers<void>;
};

/** Opens the connection of a user. What one read brings is told together, and answered in one write. */
export const openUserTcp = ({ port, user, read, ready, onDelivered, onLost }: UserTcpOptions): Promise<TcpConnection> =>
  openTcp({
    port,
    onText: (text, write) => {
      const stamps: Stamp[] = [];
      const { used, out } = read(text, stamps);
      if (out !== '') write(out);
      if (stamps.length > 0) onDelivered(stamps);
      return used;
    },
    onLost: (reason) => {
      const error = new Error(`${user} lost its connection: ${reason}`);
      ready.reject(error);
      onLost(error);
    },
  });
