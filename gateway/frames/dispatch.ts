import type { Refusal } from '../../shared/model/errors.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { notServed } from '../../shared/protocol/parse.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import type { Admit } from '../auth/revocation.ts';
import type { NoteRefusal } from '../error-log.ts';
import type { FeatureName, Features } from '../features.ts';
import type { Budgets } from '../limits/budgets.ts';
import type { PresenceQuestions } from '../presence/presence.ts';
import type { HistoryPages } from '../reads/history-pages.ts';
import type { InboxPages } from '../reads/inbox-pages.ts';
import type { MarkRead } from '../reads/read-marks.ts';
import type { ReadStates } from '../reads/read-states.ts';
import type { ReceiptStates } from '../reads/receipt-states.ts';
import type { Amending } from '../sends/amending.ts';
import type { Levels } from '../sends/levels.ts';
import type { Sending } from '../sends/sending.ts';
import type { ReceivedPositions } from '../session/received-positions.ts';
import type { Connection, Dispatch, FrameOf, Later } from '../socket/connection.ts';
import type { Typing } from '../typing/typing.ts';
import { createAmend } from './amend.ts';
import { createHistory } from './history.ts';
import { createPing } from './ping.ts';
import { createPresenceFrame } from './presence.ts';
import { createRead } from './read.ts';
import { createReads } from './reads.ts';
import { createReauth } from './reauth.ts';
import { createReceipts } from './receipts.ts';
import { createReceived } from './received.ts';
import { createSend } from './send.ts';
import { spenderOf } from './spender.ts';
import { createSync } from './sync.ts';
import { createTypingFrame } from './typing.ts';

type RequestType = Parameters<Dispatch['request']>[1]['type'];
type Requests = { [Type in RequestType]: (connection: Connection, frame: FrameOf<Type>) => Promise<string | Later> };

/** Requests that read from storage: they cost one of the budget `read` besides one of `frame`. */
const readsStorage: Record<RequestType, boolean> = {
  amend: false,
  sync: true,
  history: true,
  read: true,
  reads: true,
  presence: true,
  receipts: true,
  reauth: false,
  ping: false,
};

/**
 * Requests of optional features: `bad_frame` while their feature is not served, as if this version did not know them.
 */
const featureOf: Partial<Record<RequestType, FeatureName>> = {
  amend: 'amend',
  reads: 'reads',
  presence: 'presence',
  receipts: 'receipts',
};

/** Hands each frame to the handler of its type. */
export function createDispatch(parts: {
  hello: Dispatch['hello'];
  budgets: Pick<Budgets, 'take' | 'tolerates'>;
  sending: Sending;
  amending: Amending;
  levels: Pick<Levels, 'asked' | 'begin'>;
  inboxes: Pick<Inboxes, 'head'>;
  inboxPage: InboxPages;
  history: HistoryPages;
  markRead: MarkRead;
  readStates: ReadStates;
  presence: PresenceQuestions;
  typing: Typing;
  receiptStates: Pick<ReceiptStates, 'of'>;
  receivedPositions: Pick<ReceivedPositions, 'advance'>;
  admit: Admit;
  features: Pick<Features, 'serves'>;
  metrics: Pick<Metrics, 'closed'>;
  noteRefusal: NoteRefusal;
  faulted: Dispatch['faulted'];
  closed: Dispatch['closed'];
}): Dispatch {
  const { budgets } = parts;
  const requests: Requests = {
    amend: createAmend(parts.amending, parts.levels),
    sync: createSync(parts.inboxPage, parts.receivedPositions),
    history: createHistory(parts.history),
    read: createRead(parts.markRead),
    reads: createReads(parts.readStates),
    presence: createPresenceFrame(parts.presence),
    receipts: createReceipts(parts.receiptStates),
    reauth: createReauth(parts.admit),
    ping: createPing(parts.inboxes),
  };

  return {
    hello: parts.hello,
    send: createSend(parts.sending, parts.levels),
    received: createReceived(budgets),
    typing: createTypingFrame(parts.typing, parts.features, budgets),

    async request(connection, frame) {
      const spender = spenderOf(connection);
      const feature = featureOf[frame.type];
      const isServed = feature === undefined || parts.features.serves(feature);
      // An amend costs as much as a send, which is charged where it is checked.
      if (frame.type !== 'amend' || !isServed) budgets.take('frame', spender);
      if (!isServed) throw notServed();
      if (readsStorage[frame.type]) budgets.take('read', spender);
      return requests[frame.type](connection, frame as never);
    },

    refused(connection: Connection, refusal: Refusal): boolean {
      parts.noteRefusal(refusal, 'socket');
      return connection.session === null || budgets.tolerates(refusal.code, spenderOf(connection));
    },
    faulted: parts.faulted,
    closing: (code) => parts.metrics.closed.inc({ code }),
    closed: parts.closed,
  };
}
