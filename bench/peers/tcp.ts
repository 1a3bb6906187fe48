/** A TCP connection of a user, on which reads share memory: the load generator must cost little. */
import { connect } from 'node:net';

const readMemory = Buffer.allocUnsafeSlow(256 * 1024);

export type TcpConnection = {
  /** Text as Latin-1: every character is one byte. */
  write: (text: string) => void;
  /** Ends it; resolves when the socket is gone. */
  close: () => Promise<void>;
};

export type TcpOptions = {
  port: number;
  /** What arrived, as Latin-1: the end may be an incomplete message. Returns how much of it was used. */
  onText: (text: string, write: TcpConnection['write']) => number;
  /** The connection ended without a call of `close`. */
  onLost: (reason: string) => void;
};

/** Opens a connection to 127.0.0.1. Rejects if nothing listens there. */
export const openTcp = ({ port, onText, onLost }: TcpOptions): Promise<TcpConnection> =>
  new Promise((resolve, reject) => {
    let open = false;
    let closing = false;
    let reason = 'the socket ended';
    let rest = '';
    const read = (fresh: string): void => {
      const text = rest + fresh;
      rest = text.slice(onText(text, write));
    };
    const socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: readMemory,
        callback: (length) => {
          try {
            read(readMemory.toString('latin1', 0, length));
          } catch (error) {
            socket.destroy(error as Error);
          }
          return true;
        },
      },
    });
    const write = (text: string): void => void socket.write(text, 'latin1');
    const close = (): Promise<void> => {
      closing = true;
      return new Promise((gone) => {
        if (socket.destroyed) return gone();
        socket.once('close', () => gone());
        socket.destroySoon();
      });
    };
    socket.on('error', (error) => (reason = error.message));
    socket.once('connect', () => {
      open = true;
      resolve({ write, close });
    });
    socket.once('close', () => {
      if (!open) reject(new Error(`nothing on port ${port}: ${reason}`));
      else if (!closing) onLost(reason);
    });
  });
