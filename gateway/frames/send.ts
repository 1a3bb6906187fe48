import { acceptedFrame } from '../../shared/protocol/frame-text.ts';
import type { Sending } from '../sends/sending.ts';
import type { Dispatch } from '../socket/connection.ts';

/** `send`: has the message accepted, and answers `accepted`. */
export const createSend =
  (sending: Sending): Dispatch['send'] =>
  async ({ session, service }, frame) => {
    const { user, device } = session!;
    const accepted = await sending({ user, service: false, unlimited: service, device }, frame);
    return acceptedFrame(frame.id, frame.clientId, accepted);
  };
