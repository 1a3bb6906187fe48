import type { Accepted, Frame, Message, SeqRange, Welcome } from '../wire.ts';

/** Events that the server causes. They are the same in all tabs of a browser. */
export type ServerEvents = {
  welcome: Welcome;
  /** `live`: messages that rise by seq in their conversation. `first`: it was not here before. */
  message: { message: Message; live: boolean; first: boolean };
  accepted: { clientId: string; message: Accepted['message'] };
  /** A message with its new text. */
  amended: { message: Message };
  /** Somebody of this user has read up to `seq`, here or on another device. */
  read: { conversation: string; seq: number };
  /** Frames of the features of these names, as they came. */
  receipt: Frame;
  typing: Frame;
  presence: Frame;
  /** Messages that are not here and are read when somebody looks. */
  gap: SeqRange & { conversation: string };
  /** The server lost or restored its state. What was accepted after `lostSince` is sent again. */
  reset: { lostSince?: number };
};
