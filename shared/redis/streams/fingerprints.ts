import type { AmendAction } from '../../model/amendment.ts';

/**
 * What the pool of known clientIds compares (sent-pool.include.lua). That of a send is `fingerprint` (message-text.ts);
 * that of an amend differs from all of those.
 */

/** Of equal clientIds of a sender: equal if all of the amend is. `hash`: of its body; `*`: it has none, or any. */
export const amendFingerprint = (seq: number, action: AmendAction, hash: string): string =>
  `amend:${seq}:${action}:${hash}`;

/** Of a send whose body is known to nobody any more: any is the same. */
export const anyFingerprint = '*';
