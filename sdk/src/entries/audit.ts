/** The entry `restante-client/audit`: checks that the server keeps its promises. */
export { audit, type Audit, type Violation } from '../audit/audit.ts';
export { auditInbox, type InboxAudit, type InboxViolation } from '../audit/inbox.ts';
