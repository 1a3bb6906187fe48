import { readFrame } from '../../shared/protocol/frame-text.ts';
import type { Features } from '../features.ts';
import { createMarkRead } from '../reads/read-marks.ts';
import type { Sessions } from './sessions.ts';
import type { Stores } from './stores.ts';

/** Moves read seqs, and tells the other devices of the user, which may be at other gateways. */
export function createReadMarks(
  { conversations, inboxes }: Stores,
  { hints }: Sessions,
  features: Pick<Features, 'serves'>,
) {
  return createMarkRead(conversations, inboxes, ({ user, conversation, seq, device, routes }) => {
    if (!features.serves('reads')) return;
    const others = routes.filter((route) => route.device !== device);
    hints.tellAt(new Set(others.map((route) => route.gateway)), user, readFrame(undefined, conversation, seq), device);
  });
}
