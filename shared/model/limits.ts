/**
 * Limits that are promised to clients (PROTOCOL.md, `welcome`), or that several processes agree on. A limit that one
 * part alone knows stays with that part.
 */

/** Maximum items of an inbox page, and of a live frame. */
export const pageItems = 200;
/** Maximum bytes of an inbox page as it goes to a client. */
export const pageBytes = 512 * 1024;
/** Maximum bytes of a page's message texts. The rest is for what frames put around 200 items and 200 gaps. */
export const pageTextBytes = pageBytes - 48 * 1024;

/** Maximum messages of a history page. */
export const historyPageMessages = 100;
/** Messages of a history page if the client names no number. */
export const historyPageDefault = 20;

/** Maximum conversations of one request `reads`. */
export const mostReads = 200;
/** Maximum users of a question about presence, and maximum users that a connection watches. */
export const mostPresenceUsers = 200;
/** A user's `typing` in one conversation is passed on at most this often (ms). */
export const typingEveryMs = 3000;

/** Maximum devices of a user. */
export const mostDevices = 20;
/** Maximum members of a group. */
export const mostMembers = 100_000;
/** Maximum times a user joins one group. After that only a service adds it again. Leaving is always possible. */
export const mostJoinings = 500;

/** How many seqs of a conversation are remembered that do not count as unread; the Lua scripts spell it too. */
export const mostQuietSeqs = 64;
/** Maximum times that a message is edited. A recall is always possible. */
export const mostAmendments = 1000;

/** A device has this long to receive an item before it is pushed again (ms). Promised in `welcome`. */
export const receiveWithinMs = 5000;
/** Longest time that a published push is assumed to be in flight (ms). */
export const pushInFlightMs = 250;
