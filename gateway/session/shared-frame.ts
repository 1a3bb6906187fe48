import { deliverFrame, largeItemText } from '../../shared/protocol/frame-text.ts';
import type { LargeMessage } from '../../shared/redis/push-bus.ts';

/** One unmasked text frame of a WebSocket (RFC 6455, section 5.2). */
function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = 0x81;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, head);
  return frame;
}

/** One message of a large group for many sockets. The bytes that all of them are sent are made once. */
export class SharedFrame {
  readonly conversation: string;
  readonly seq: number;
  /** The item's text, for a frame with other items. */
  readonly text: string;
  private made: Buffer | null = null;

  constructor({ conversation, seq, text }: Pick<LargeMessage, 'conversation' | 'seq' | 'text'>) {
    this.conversation = conversation;
    this.seq = seq;
    this.text = largeItemText(text);
  }

  /** The bytes of a `deliver` frame with only this item. Made at the first call. */
  get bytes(): Buffer {
    return (this.made ??= textFrame(deliverFrame(this.text)));
  }
}
