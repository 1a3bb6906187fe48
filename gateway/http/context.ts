import type { IncomingMessage } from 'node:http';
import type { Config } from '../../shared/process/config.ts';
import type { Faults } from '../../shared/process/faults.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import type { AuditLog } from '../audit-log.ts';
import type { Authenticate, Principal } from '../auth/authenticate.ts';
import type { Disconnect, RemoveDevice } from '../auth/disconnect-user.ts';
import type { Changes } from '../changes/changes.ts';
import type { NoteRefusal } from '../error-log.ts';
import type { Features } from '../features.ts';
import type { BodyBudget } from '../limits/body-budget.ts';
import type { Budgets } from '../limits/budgets.ts';
import type { PresenceQuestions } from '../presence/presence.ts';
import type { ConversationViews } from '../reads/conversation-views.ts';
import type { HistoryPages } from '../reads/history-pages.ts';
import type { InboxPages } from '../reads/inbox-pages.ts';
import type { MarkRead } from '../reads/read-marks.ts';
import type { ReceiptStates } from '../reads/receipt-states.ts';
import type { Search } from '../reads/search.ts';
import type { ReceivedReceipts } from '../receipts/received-receipts.ts';
import type { Amending } from '../sends/amending.ts';
import type { Levels } from '../sends/levels.ts';
import type { Sending } from '../sends/sending.ts';
import type { OwnSettings } from '../settings/user-settings.ts';
import type { UpgradeBindings } from '../socket/upgrade.ts';

/** The parts of the gateway that the HTTP routes use. */
export type HttpParts = {
  authenticate: Authenticate;
  sending: Sending;
  amending: Amending;
  levels: Pick<Levels, 'asked' | 'reach'>;
  features: Pick<Features, 'serves'>;
  changes: Changes;
  budgets: Pick<Budgets, 'take'>;
  bodies: Pick<BodyBudget, 'hold'>;
  inboxes: Inboxes;
  inboxPage: InboxPages;
  history: HistoryPages;
  views: ConversationViews;
  markRead: MarkRead;
  receiptStates: Pick<ReceiptStates, 'of'>;
  receivedReceipts: Pick<ReceivedReceipts, 'look'>;
  search: Search;
  ownSettings: Pick<OwnSettings, 'read' | 'change'>;
  presence: Pick<PresenceQuestions, 'ask'>;
  metrics: Metrics;
  faults: Pick<Faults, 'note'>;
  noteRefusal: NoteRefusal;
  audit: AuditLog;
  config: Config;
  disconnect: Disconnect;
  removeDevice: RemoveDevice;
};

/** The context of a request in the app. */
export type HttpEnv = {
  Variables: {
    /** The caller, set by the auth middleware of /v1. */
    principal: Principal;
    /** What the audit log says about an admin's action besides its path. */
    detail: Record<string, string>;
  };
  Bindings: UpgradeBindings & { incoming?: IncomingMessage };
};
