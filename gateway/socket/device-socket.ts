import { WebSocket } from 'ws';

/** Gets the events of one socket. */
export type SocketHolder = {
  take(data: Buffer, isBinary: boolean): void;
  /** A protocol ping: answer it with the same data. */
  pinged(data: Buffer): void;
  ponged(): void;
  /** The peer closes, or broke the protocol. `answer` must be called to answer the close. */
  farewell(answer: () => void): void;
  end(): void;
  /** One of the methods above, or a write, has thrown. */
  faulted(thrown: unknown): void;
};

/**
 * A table of listeners and one of agreed extensions, which Node.js and ws give to every socket, and which stay empty
 * here. They are frozen: whoever adds a listener gets an exception.
 */
const noListeners: object = Object.freeze(Object.create(null));
const noExtensions: object = Object.freeze({});

/**
 * A WebSocket that hands its events to one holder, without listeners. Listeners, or a table of its own for them, would
 * be a tenth of the memory of an idle connection. `holder` must be set before the first event. What the holder throws
 * goes no further, because it would end the process.
 */
export class DeviceSocket extends WebSocket {
  declare holder: SocketHolder;
  protected readonly _events = noListeners;
  protected readonly _extensions = noExtensions;

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
        // ws closes with the right code itself, and the close event follows.
        return true;
      default:
        return super.emit(event, ...args);
    }
  }
}
