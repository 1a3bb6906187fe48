import { WebSocket } from 'ws';

/** What happens on a socket, for whoever holds it. */
export type SocketHolder = {
  take(data: Buffer, isBinary: boolean): void;
  /** A protocol ping, to be answered with the same data. */
  pinged(data: Buffer): void;
  ponged(): void;
  /** The peer closes, or broke the protocol: `answer` has to be called when it may be answered. */
  farewell(answer: () => void): void;
  end(): void;
  /** One of the above has thrown, or writing has. */
  faulted(thrown: unknown): void;
};

/**
 * A WebSocket that hands its events to one holder without listeners: an idle connection keeps no table of them, which
 * is a tenth of its memory. `holder` is set before the first event can come. What its holder throws goes no further: it
 * would end the process.
 */
export class DeviceSocket extends WebSocket {
  declare holder: SocketHolder;

  /** What ws calls when the peer closes or breaks the protocol. */
  override close(code?: number, reason?: string | Buffer): void {
    try {
      this.holder.farewell(() => super.close(code, reason));
    } catch (thrown) {
      this.holder.faulted(thrown);
    }
  }

  /** Closes from this side. */
  closeNow(code: number, reason: string): void {
    super.close(code, reason);
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    try {
      return this.tell(event, args);
    } catch (thrown) {
      this.holder.faulted(thrown);
      return true;
    }
  }

  private tell(event: string | symbol, args: unknown[]): boolean {
    switch (event) {
      case 'message':
        this.holder.take(args[0] as Buffer, args[1] as boolean);
        return true;
      case 'ping':
        this.holder.pinged(args[0] as Buffer);
        return true;
      case 'pong':
        this.holder.ponged();
        return true;
      case 'close':
        this.holder.end();
        return true;
      case 'error':
        // ws closes with the right code by itself; the close event follows.
        return true;
      default:
        return super.emit(event, ...args);
    }
  }
}
