import { readFrame } from '../../shared/protocol/frame-text.ts';
import type { Features } from '../features.ts';
import { createMarkRead, type ReadMoved } from '../reads/read-marks.ts';
import type { ReceiptParts } from './receipts.ts';
import type { Sessions } from './sessions.ts';
import type { Stores } from './stores.ts';

/** Moves read seqs, and tells the other devices of the user, which may be at other gateways. */
export function createReadMarks(
  { conversations, inboxes }: Stores,
  { hints }: Sessions,
  { notes }: ReceiptParts,
  features: Pick<Features, 'serves'>,
) {
  const tell = ({ user, conversation, seq, device, routes }: ReadMoved): void => {
    if (!features.serves('reads')) return;
    const others = routes.filter((route) => route.device !== device);
    hints.tellAt(new Set(others.map((route) => route.gateway)), user, readFrame(undefined, conversation, seq), device);
  };
  return createMarkRead(conversations, inboxes, tell, notes.read);
}
