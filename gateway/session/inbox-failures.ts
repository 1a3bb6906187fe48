import { toRefusal } from '../../shared/model/errors.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { SessionParts } from './session-parts.ts';

/** Logs why a session could not read its inbox. A fault of the program is counted too. */
export const createInboxFailureReport = (faults: Faults, log: Logger): SessionParts['failed'] =>
  faults.contained('socket', ({ user }, thrown) => {
    const refusal = toRefusal(thrown);
    if (refusal.code === 'internal') faults.note('socket', thrown);
    log.warn({ event: 'backlog_failed', user, code: refusal.code, reason: reason(refusal.cause ?? refusal) });
  });
