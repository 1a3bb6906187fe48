import type { Redis } from 'ioredis';
import { Refusal, retryLater } from '../../model/errors.ts';
import type { Gap, SeqRange, Span } from '../../model/model.ts';
import type { Page, PageItem } from '../../model/results.ts';
import { encodeSpans } from '../../model/spans.ts';
import { createProvenClock } from '../../timing/clocks.ts';
import { decodeSkips, encodeSkips } from '../conversations/install-form.ts';
import { storageFailure } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { lossJump } from '../loss.ts';
import { run } from '../scripts.ts';
import { readRoutes, type Route } from './device-routes.ts';

export const pageItems = 200;
export const pageBytes = 512 * 1024;
/** What a page's message texts may take of that: the rest is for what frames put around 200 items and 200 gaps. */
const pageTextBytes = pageBytes - 48 * 1024;
export const mostDevices = 20;
/**
 * Removed devices of which a user's tokens are refused by name; beyond them the oldest removal counts for all its
 * tokens.
 */
const mostRevokedDevices = 100;
const forgetDeviceMs = 60 * 86_400_000;

export type Attached = {
  epoch: string;
  head: number;
  /** What the server remembers of the device. */
  position: number;
  /** Where this connection's backlog begins. */
  from: number;
  reset: boolean;
  /** The connection of the same device that this one takes the place of. */
  replaced: { gateway: string; session: string } | null;
  /** The large groups that the user is a member of. */
  larges: string[];
};

/** A user's own view of one conversation, as its inbox has it. */
export type ConversationState = {
  conversation: string;
  lastSeq: number;
  readSeq: number;
  joined: number;
  /** When its newest message was accepted, or it was created (ms); 0 when that was lost. */
  at: number;
  /** Where its newest message stands in the inbox; 0 when it does not. */
  position: number;
  member: boolean;
  /** Seqs that do not count as unread, in any order. */
  quiet: SeqRange[];
};

export type UserState = {
  epoch: string;
  head: number;
  routes: Route[];
  larges: string[];
  conversations: ConversationState[];
};

export type Advance = {
  user: string;
  epoch: string;
  device: string;
  position: number;
  gateway: string;
  session: string;
};
/** `epoch`: another one holds. */
export type AdvanceOutcome = 'moved' | 'same' | 'above' | 'replaced' | 'epoch';

/**
 * Inboxes as gateways use them. `load` gives a user back what history knows after a loss; `closed` says that the slot
 * is not open. Every method rejects with `retry_later` when Redis does not answer: nothing here can be done half.
 */
export function createInboxes(
  redis: Redis,
  keys: Keys,
  options: { inboxRetentionMs: number; importantRetentionMs: number },
  help: { load(user: string): Promise<void>; closed(): void },
) {
  const now = createProvenClock(true);
  const slot = (user: string): string => keys.shardSlot(keys.shardOf(user));

  async function asked(user: string, ask: () => Promise<unknown[]>): Promise<unknown[]> {
    try {
      let reply = await ask();
      if (reply[0] === 'load') {
        await help.load(user);
        reply = await ask();
      }
      if (reply[0] === 'closed' || reply[0] === 'load') {
        help.closed();
        throw retryLater('storage is being opened');
      }
      return reply;
    } catch (thrown) {
      throw storageFailure(thrown);
    }
  }

  return {
    /**
     * Registers a device's connection and answers where its backlog begins. Rejects with `rate_limited` when the user
     * has 20 other devices online.
     */
    async attach(
      user: string,
      device: string,
      gateway: string,
      session: string,
      asks: { position?: number | undefined; epoch?: string | undefined },
      leaseMs: number,
      tokenIssuedAt: number,
    ): Promise<Attached> {
      const reply = (await asked(user, () =>
        run<unknown[]>(
          redis,
          'attach-device',
          [slot(user), keys.user(user), keys.devices(user), keys.revoked(user), keys.revokedDevices(user)],
          [
            gateway,
            session,
            device,
            asks.position ?? '',
            asks.epoch ?? '',
            leaseMs,
            mostDevices,
            forgetDeviceMs,
            lossJump,
            tokenIssuedAt,
          ],
        ),
      )) as [string, string, string, string, string, number, string, string];
      if (reply[0] === 'revoked') throw new Refusal('unauthenticated', 'the token is not valid');
      if (reply[0] === 'full')
        throw new Refusal('rate_limited', `a user has at most ${mostDevices} devices, and all are online`);
      const [oldGateway, oldSession] = reply[6].split(' ') as [string, string];
      return {
        epoch: reply[1],
        head: Number(reply[2]),
        position: Number(reply[3]),
        from: Number(reply[4]),
        reset: reply[5] === 1,
        replaced: reply[6] === '' ? null : { gateway: oldGateway, session: oldSession },
        larges: readLarges(reply[7]),
      };
    },

    async detach(user: string, device: string, gateway: string, session: string): Promise<void> {
      await run<number>(redis, 'detach-device', [keys.user(user), keys.devices(user)], [gateway, session, device]);
    },

    /**
     * Forgets a device; tokens for it that were issued before `seconds` (since 1970) are refused from now on. Resolves
     * the route that it had, null when it was not known.
     */
    async forget(
      user: string,
      device: string,
      seconds: number,
    ): Promise<{ gateway: string; session: string } | 'offline' | null> {
      try {
        const [known, route] = await run<[number, string]>(
          redis,
          'forget-device',
          [keys.user(user), keys.devices(user), keys.revokedDevices(user), keys.revoked(user)],
          [device, seconds, mostRevokedDevices],
        );
        if (route !== '') return { gateway: route.split(' ')[0]!, session: route.split(' ')[1]! };
        return known === 1 ? 'offline' : null;
      } catch (thrown) {
        throw storageFailure(thrown);
      }
    },

    /**
     * `after` may be a device, whose position then counts. Rejects with `resync_required` when `epoch` does not hold
     * any more, with `bad_request` when `after` is above the head, unless `aboveIsEmpty`.
     */
    async page(
      user: string,
      after: number | { device: string },
      limit: number,
      asks: { epoch?: string | undefined; aboveIsEmpty?: boolean } = {},
    ): Promise<Page> {
      const reply = (await asked(user, () =>
        run<unknown[]>(
          redis,
          'page-inbox',
          [slot(user), keys.user(user), keys.inbox(user), keys.devices(user), ...keys.gapsAndIndex(user)],
          [
            typeof after === 'number' ? after : '',
            Math.min(limit, pageItems),
            pageTextBytes,
            asks.epoch ?? '',
            options.inboxRetentionMs,
            options.importantRetentionMs,
            lossJump,
            typeof after === 'number' ? '' : after.device,
            Math.floor(now()),
          ],
        ),
      )) as [string, string, string, string, number, string[], string[], string];
      if (reply[0] === 'resync') throw new Refusal('resync_required', 'the epoch has changed: begin again at 0');
      if (reply[0] === 'above') {
        if (!asks.aboveIsEmpty || typeof after !== 'number')
          throw new Refusal('bad_request', 'the position is above the head of the inbox');
        return {
          epoch: await this.epoch(user),
          head: Number(reply[1]),
          next: after,
          more: false,
          items: [],
          gaps: [],
          larges: [],
        };
      }
      const [, epoch, head, next, more, flatItems, flatGaps, larges] = reply;
      const items: PageItem[] = [];
      for (let i = 0; i < flatItems.length; i += 3) {
        items.push({ position: Number(flatItems[i]), device: flatItems[i + 1]!, text: flatItems[i + 2]! });
      }
      const gaps: Gap[] = [];
      for (let i = 0; i < flatGaps.length; i += 4) {
        gaps.push({
          position: Number(flatGaps[i]),
          conversation: flatGaps[i + 1]!,
          fromSeq: Number(flatGaps[i + 2]),
          toSeq: Number(flatGaps[i + 3]),
        });
      }
      return {
        epoch,
        head: Number(head),
        next: Number(next),
        more: more === 1,
        items,
        gaps,
        larges: readLarges(larges),
      };
    },

    async epoch(user: string): Promise<string> {
      const reply = await asked(user, async () => {
        const epoch = await redis.hget(slot(user), 'epoch');
        return epoch === null ? ['closed'] : ['epoch', epoch];
      });
      return reply[1] as string;
    },

    async head(user: string): Promise<number> {
      try {
        return Number((await redis.hget(keys.user(user), 'head')) ?? 0);
      } catch (thrown) {
        throw storageFailure(thrown);
      }
    },

    async user(user: string): Promise<UserState> {
      const reply = (await asked(user, () =>
        run<unknown[]>(redis, 'read-user', [slot(user), keys.user(user)], []),
      )) as string[];
      const state: UserState = { epoch: reply[1]!, head: 0, routes: [], larges: [], conversations: [] };
      const quiet = new Map<string, string>();
      for (let i = 2; i < reply.length; i += 2)
        if (reply[i]!.startsWith('q:')) quiet.set(reply[i]!.slice(2), reply[i + 1]!);
      for (let i = 2; i < reply.length; i += 2) {
        const field = reply[i]!;
        const value = reply[i + 1]!;
        if (field.startsWith('c:'))
          state.conversations.push(readState(field.slice(2), value, quiet.get(field.slice(2))));
        else if (field === 'head') state.head = Number(value);
        else if (field === 'routes') state.routes = readRoutes(value);
        else if (field === 'larges') state.larges = readLarges(value);
      }
      return state;
    },

    async conversationState(user: string, conversation: string): Promise<ConversationState | null> {
      try {
        const [value, quiet] = await redis.hmget(keys.user(user), `c:${conversation}`, `q:${conversation}`);
        return value ? readState(conversation, value, quiet ?? undefined) : null;
      } catch (thrown) {
        throw storageFailure(thrown);
      }
    },

    /** The texts that stand at these positions of an inbox, null where nothing does. */
    async textsAt(user: string, positions: number[]): Promise<(string | null)[]> {
      if (positions.length === 0) return [];
      try {
        const pipeline = redis.pipeline();
        for (const position of positions) pipeline.xrange(keys.inbox(user), `${position}-0`, `${position}-0`);
        const replies = (await pipeline.exec())!;
        return replies.map(([error, entries]) => {
          if (error) throw error;
          return (entries as [string, string[]][])[0]?.[1][1] ?? null;
        });
      } catch (thrown) {
        throw storageFailure(thrown);
      }
    },

    /** Every device that is remembered; `lastSeen` in ms since 1970. */
    async devices(user: string): Promise<{ device: string; position: number; lastSeen: number; online: boolean }[]> {
      const reply = (await asked(user, () =>
        run<unknown[]>(redis, 'read-devices', [slot(user), keys.user(user), keys.devices(user)], [forgetDeviceMs]),
      )) as (string | number)[];
      const devices = [];
      for (let i = 1; i < reply.length; i += 4) {
        devices.push({
          device: String(reply[i]),
          position: Number(reply[i + 1]),
          lastSeen: Number(reply[i + 2]),
          online: reply[i + 3] === 1,
        });
      }
      return devices;
    },

    /** Moves devices forward; one outcome for each. Users that may meet in one script: see Keys.groupOf. */
    async advance(moves: Advance[]): Promise<AdvanceOutcome[]> {
      try {
        const reply = await run<(AdvanceOutcome | 'closed')[]>(
          redis,
          'advance-devices',
          moves.flatMap(({ user }) => [slot(user), keys.user(user), keys.devices(user)]),
          moves.flatMap(({ epoch, device, position, gateway, session }) => [epoch, device, position, gateway, session]),
        );
        if (reply.includes('closed')) {
          help.closed();
          throw retryLater('storage is being opened');
        }
        return reply as AdvanceOutcome[];
      } catch (thrown) {
        throw storageFailure(thrown);
      }
    },

    /** Moves a read seq forward; resolves the one now in force. */
    async read(user: string, conversation: string, seq: number, joined: number): Promise<number> {
      const reply = (await asked(user, () =>
        run<unknown[]>(redis, 'advance-read', [slot(user), keys.user(user)], [conversation, seq, joined]),
      )) as string[];
      return Number(reply[1]);
    },

    /**
     * Renews a gateway's lease in a shard; heads, routes and large groups are those of `users`, in their order. Null
     * when its slot is not open.
     */
    async renew(
      shard: number,
      gateway: string,
      users: string[],
      leaseMs: number,
    ): Promise<{ epoch: string; users: { head: number; routes: Route[]; larges: string[] }[] } | null> {
      const [epoch, ...reply] = await run<[string, ...string[]]>(
        redis,
        'renew-gateway',
        [keys.shardSlot(shard), ...users.map((user) => keys.user(user))],
        [gateway, leaseMs],
      );
      if (epoch === '') return null;
      return {
        epoch,
        users: users.map((_, i) => ({
          head: Number(reply[i * 3]),
          routes: readRoutes(reply[1 + i * 3]!),
          larges: readLarges(reply[2 + i * 3]!),
        })),
      };
    },

    /**
     * After a loss: what history knows of a user's conversations, each with its last seq. `done` with the last of them.
     */
    async install(
      user: string,
      rows: { conversation: string; spans: Span[]; lastSeq: number; skips: SeqRange[] }[],
      done: boolean,
    ): Promise<void> {
      const args = rows.flatMap(({ conversation, spans, lastSeq, skips }) => [
        conversation,
        encodeSpans(spans),
        lastSeq,
        spans.at(-1)?.left === null ? 'm' : 'l',
        encodeSkips(skips),
      ]);
      const reply = await run<string>(
        redis,
        'install-user',
        [slot(user), keys.user(user), keys.devices(user), ...keys.gapsAndIndex(user)],
        [lossJump, done ? '1' : '0', ...args],
      );
      if (reply === 'closed') {
        help.closed();
        throw retryLater('storage is being opened');
      }
    },
  };
}

export type Inboxes = ReturnType<typeof createInboxes>;

const readLarges = (text: string): string[] => (text === '' ? [] : text.trim().split(' '));

function readState(conversation: string, value: string, quiet = ''): ConversationState {
  const [last, read, joined, at, position, status] = value.split(' ') as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    conversation,
    lastSeq: Number(last),
    readSeq: Number(read),
    joined: Number(joined),
    at: Number(at),
    position: Number(position),
    member: status === 'm',
    quiet: decodeSkips(quiet),
  };
}
