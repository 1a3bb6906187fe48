import { pageBytes, pageItems } from '../../shared/model/limits.ts';
import { deliverFrame } from '../../shared/protocol/frame-text.ts';
import type { Outlet } from './outlet.ts';
import type { SharedFrame } from './shared-frame.ts';

/**
 * Maximum characters of the items in one live frame. A character takes up to three bytes in UTF-8, so the frame stays
 * below the promised `pageBytes`, with 4,096 characters to spare for the names around the items.
 */
const mostLiveLength = pageBytes / 3 - 4096;

/** The live items of one push payload for one session, joined into as few `deliver` frames as possible. */
export class LiveBatch {
  /** How many items wait to be written. */
  size = 0;
  private joined = '';
  /** The only item of the batch, when it comes from a large group: its frame is shared by many sockets. */
  private alone: SharedFrame | null = null;

  /** Where there is no room, write the batch first and then add: an empty batch takes any item. */
  hasRoomFor(item: string): boolean {
    return this.size < pageItems && this.joined.length + item.length <= mostLiveLength;
  }

  /** `item` is an item's text; `shared` is the same item where it belongs to a large group. */
  add(item: string, shared: SharedFrame | null): void {
    this.alone = this.size === 0 ? shared : null;
    this.joined = this.joined === '' ? item : `${this.joined},${item}`;
    this.size += 1;
  }

  /** Writes one frame with everything that waits. The batch must not be empty. */
  writeTo(outlet: Pick<Outlet, 'write' | 'writeFrame'>): void {
    if (this.alone === null) outlet.write(deliverFrame(this.joined));
    else outlet.writeFrame(this.alone.bytes);
    this.joined = '';
    this.size = 0;
    this.alone = null;
  }
}
