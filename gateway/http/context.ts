import type { IncomingMessage } from 'node:http';
import type { Config } from '../../shared/config.ts';
import type { Faults } from '../../shared/faults.ts';
import type { Metrics } from '../../shared/metrics.ts';
import type { Inboxes } from '../../shared/redis/inboxes.ts';
import type { Audit } from '../audit.ts';
import type { Authenticate, Principal } from '../auth.ts';
import type { Budgets } from '../budgets.ts';
import type { Changes } from '../changes.ts';
import type { Disconnect, RemoveDevice } from '../disconnecting.ts';
import type { HistoryPages } from '../history-pages.ts';
import type { InboxPages } from '../inbox-pages.ts';
import type { NoteRefusal } from '../refusals.ts';
import type { Sending } from '../sending.ts';
import type { BodyBudget } from './body-budget.ts';
import type { UpgradeBindings } from '../upgrade.ts';
import type { Views } from '../views.ts';

/** What the HTTP routes need of the gateway. */
export type HttpParts = {
  authenticate: Authenticate;
  sending: Sending;
  changes: Changes;
  budgets: Pick<Budgets, 'take'>;
  bodies: Pick<BodyBudget, 'hold'>;
  inboxes: Inboxes;
  inboxPage: InboxPages;
  history: HistoryPages;
  views: Views;
  metrics: Metrics;
  faults: Pick<Faults, 'note'>;
  noteRefusal: NoteRefusal;
  audit: Audit;
  config: Config;
  disconnect: Disconnect;
  removeDevice: RemoveDevice;
};

/** The caller, as the auth middleware of /v1 found it. */
export type HttpEnv = {
  Variables: {
    principal: Principal;
    /** What the audit says of an admin's action beside its path. */
    detail: Record<string, string>;
  };
  Bindings: UpgradeBindings & { incoming?: IncomingMessage };
};
