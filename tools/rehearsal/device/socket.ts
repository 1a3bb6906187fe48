import WebSocket from 'ws';

/**
 * The sockets of rehearsed devices. Without compression, which would cost more than everything that is measured. A link
 * closes a socket that it takes for gone without a code: that is dropped here as a lost network does it, without the
 * closing handshake that browsers insist on.
 */
export class RehearsalSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, { perMessageDeflate: false });
  }

  override close(code?: number, reason?: string): void {
    if (code === undefined) this.terminate();
    else super.close(code, reason);
  }
}
