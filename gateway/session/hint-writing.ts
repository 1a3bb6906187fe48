import type { Outlet } from './outlet.ts';

/** Bytes that wait for the socket beyond which hints are dropped. */
const mostHintBytes = 256 * 1024;
/** Maximum hints that wait for `welcome`. */
const mostHeldHints = 16;

/** `coalesced`: a later one says it, or an earlier one has said it. */
export type HintResult = 'sent' | 'dropped' | 'coalesced';

/**
 * Writes a frame that moves nothing and can be asked for again, so a slow reader's hints are dropped before anything
 * else. `held`: the hints that wait for `welcome`, null once it is written.
 */
export function writeHint(
  outlet: Pick<Outlet, 'write' | 'waitingBytes'>,
  held: string[] | null,
  text: string,
): HintResult {
  if (held !== null ? held.length >= mostHeldHints : outlet.waitingBytes > mostHintBytes) return 'dropped';
  if (held === null) outlet.write(text);
  else held.push(text);
  return 'sent';
}
