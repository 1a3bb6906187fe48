/**
 * What is published on the presence channel of an inbox shard. Scripts publish it in the step that causes it, so news
 * of one user come in the order of their causes.
 *
 * - `+ <user> <now> <gateway>,<gateway>…`: online; all live gateways that hold the user
 * - `- <user> <last seen, or nothing>`: offline, for PRESENCE_OFFLINE_AFTER_MS
 * - `! <shard>`: a gateway's lease had lapsed and is there again, so users of the shard may be online again
 * - `? <user>`: who may see the user has changed
 *
 * Times are in ms since 1970, by the clock of Redis.
 */
export type PresenceNews =
  | { kind: 'online'; user: string; at: number; gateways: string[] }
  | { kind: 'offline'; user: string; lastSeen: number | null }
  | { kind: 'back'; shard: number }
  | { kind: 'look'; user: string };

/** Throws for a line that is none of them. */
export function readPresence(line: string): PresenceNews {
  const [kind, subject, time, gateways] = line.split(' ') as [string, string, string?, string?];
  switch (kind) {
    case '+':
      return { kind: 'online', user: subject, at: Number(time), gateways: gateways!.split(',') };
    case '-':
      return { kind: 'offline', user: subject, lastSeen: time === undefined || time === '' ? null : Number(time) };
    case '!':
      return { kind: 'back', shard: Number(subject) };
    case '?':
      return { kind: 'look', user: subject };
    default:
      throw new Error(`unknown presence ${kind}`);
  }
}
