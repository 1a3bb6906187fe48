/** Maximum positions that are kept. A device with more of them has to confirm the rest itself. */
const mostKept = 1000;

/**
 * Inbox positions of messages that the device sent itself, above what it has received. They need no receipt: the
 * received position moves over them once everything before them is received.
 */
export class OwnPositions {
  /** Rising. */
  private readonly kept: number[] = [];

  /** `position` must be above all that were added before. */
  add(position: number): void {
    if (this.kept.length < mostKept) this.kept.push(position);
  }

  /** Where a device is that has received everything up to `received`. Forgets the positions that this moves over. */
  moveOver(received: number): number {
    let position = received;
    while (this.kept.length > 0 && this.kept[0]! <= position + 1) position = Math.max(position, this.kept.shift()!);
    return position;
  }
}
