import { deliverFrame, largeItemText } from '../../shared/protocol/frame-text.ts';
import type { LargeMessage } from '../../shared/redis/push-bus.ts';
import { textFrames } from './text-frames.ts';

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
    return (this.made ??= textFrames([deliverFrame(this.text)]));
  }
}
