import type { Page } from '../../shared/model/results.ts';
import { deliverFrame, gapFrame, itemText } from '../../shared/protocol/frame-text.ts';
import type { Outlet } from './outlet.ts';

/**
 * Writes items and gaps of an inbox in one rising order of position. A gap comes before the item at its own position.
 * Both lists must be in rising order already.
 */
export function writePageFrames(
  outlet: Pick<Outlet, 'write'>,
  items: readonly { position: number; text: string }[],
  gaps: Page['gaps'],
): void {
  let nextGap = 0;
  let joined = '';
  const writeJoined = (): void => {
    if (joined !== '') outlet.write(deliverFrame(joined));
    joined = '';
  };
  for (const { position, text } of items) {
    while (nextGap < gaps.length && gaps[nextGap]!.position <= position) {
      writeJoined();
      outlet.write(gapFrame(gaps[nextGap++]!));
    }
    joined = joined === '' ? itemText(position, text) : `${joined},${itemText(position, text)}`;
  }
  writeJoined();
  while (nextGap < gaps.length) outlet.write(gapFrame(gaps[nextGap++]!));
}
