import type { Redis } from 'ioredis';
import { Refusal, retryLater } from '../../model/errors.ts';
import { pageItems, pageTextBytes } from '../../model/limits.ts';
import type { Gap, SeqRange, Span } from '../../model/model.ts';
import type { Page } from '../../model/results.ts';
import { encodeSpans } from '../../model/spans.ts';
import { createProvenClock } from '../../timing/clocks.ts';
import { runOf } from '../connection/run.ts';
import { encodeSkips } from '../conversations/install-form.ts';
import { currentReply, openReply, orRetryLater } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { lossJump } from '../loss.ts';
import { run } from '../scripts.ts';
import { createAsking, type Help } from './asking.ts';
import { readRoutes, type Route } from './device-routes.ts';
import { createDevices, forgetEphemeralMs } from './devices.ts';
import { type InboxEntry, readOverlays, served } from './overlays.ts';
import { type ConversationState, readLarges, readState } from './user-fields.ts';

export type UserState = {
  epoch: string;
  head: number;
  routes: Route[];
  larges: string[];
  conversations: ConversationState[];
};

/**
 * Inboxes as gateways use them, with the devices that read them. Every method rejects with `retry_later` if Redis does
 * not answer. It may then be repeated: nothing is ever half done.
 */
export function createInboxes(
  redis: Redis,
  keys: Keys,
  options: { inboxRetentionMs: number; importantRetentionMs: number },
  help: Help,
) {
  const now = createProvenClock(true);
  const asked = createAsking(help);
  const slot = (user: string): string => keys.shardSlot(keys.shardOf(user));

  async function epochOf(user: string): Promise<string> {
    const reply = await asked(user, async () => {
      const here = runOf(redis);
      const [epoch, open] = await redis.hmget(slot(user), 'epoch', 'open');
      return open === here ? ['epoch', epoch] : ['closed'];
    });
    return reply[1] as string;
  }

  return {
    ...createDevices(redis, keys, asked, help.closed),

    /**
     * Reads a page above a position, or above the position of a device. Rejects with `resync_required` if `epoch` is no
     * longer current. Rejects with `bad_request` if `after` is above the head, unless `aboveIsEmpty`.
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
          [
            slot(user),
            keys.user(user),
            keys.inbox(user),
            keys.devices(user),
            ...keys.gapsAndIndex(user),
            keys.overlays(user),
          ],
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
            ...(typeof after === 'number' ? [] : [forgetEphemeralMs]),
          ],
        ),
      )) as [string, string, string, string, number, string[], string[], string, string];
      if (reply[0] === 'resync') throw new Refusal('resync_required', 'the epoch has changed: begin again at 0');
      if (reply[0] === 'above') {
        if (!asks.aboveIsEmpty || typeof after !== 'number')
          throw new Refusal('bad_request', 'the position is above the head of the inbox');
        return {
          epoch: await epochOf(user),
          head: Number(reply[1]),
          next: after,
          more: false,
          items: [],
          gaps: [],
          larges: [],
        };
      }
      const [, epoch, head, next, more, flatItems, flatGaps, larges, laid] = reply;
      return {
        epoch,
        head: Number(head),
        next: Number(next),
        more: more === 1,
        items: served(readEntries(flatItems), readOverlays(laid === '' ? [] : laid.split('\n'))),
        gaps: readGaps(flatGaps),
        larges: readLarges(larges),
      };
    },

    epoch: epochOf,

    async head(user: string): Promise<number> {
      return Number((await orRetryLater(redis.hget(keys.user(user), 'head'))) ?? 0);
    },

    async user(user: string): Promise<UserState> {
      const reply = (await asked(user, () =>
        run<unknown[]>(redis, 'read-user', [slot(user), keys.user(user)], []),
      )) as string[];
      const state: UserState = { epoch: reply[1]!, head: 0, routes: [], larges: [], conversations: [] };
      const beside = new Map<string, string>();
      for (let i = 2; i < reply.length; i += 2)
        if (reply[i]!.startsWith('q:') || reply[i]!.startsWith('s:')) beside.set(reply[i]!, reply[i + 1]!);
      for (let i = 2; i < reply.length; i += 2) {
        const field = reply[i]!;
        const value = reply[i + 1]!;
        if (field.startsWith('c:')) {
          const id = field.slice(2);
          state.conversations.push(readState(id, value, beside.get(`q:${id}`), beside.get(`s:${id}`)));
        } else if (field === 'head') state.head = Number(value);
        else if (field === 'routes') state.routes = readRoutes(value);
        else if (field === 'larges') state.larges = readLarges(value);
      }
      help.listed?.(user, state.epoch, state.head);
      return state;
    },

    async conversationState(user: string, conversation: string): Promise<ConversationState | null> {
      const beside = ['c', 'q', 's'].map((kind) => `${kind}:${conversation}`);
      const fields = redis.hmget(keys.user(user), 'epoch', 'head', ...beside);
      const [epoch, head, value, quiet, shown] = await orRetryLater(fields);
      if (!value) return null;
      help.listed?.(user, epoch ?? '', Number(head ?? 0));
      return readState(conversation, value, quiet ?? '', shown ?? '');
    },

    /** The conversations that a user's keys know, after a loss too. */
    async held(user: string): Promise<string[]> {
      const fields = await orRetryLater(redis.hkeys(keys.user(user)));
      return fields.filter((field) => field.startsWith('c:')).map((field) => field.slice(2));
    },

    /** The newest groups that a user is a member of, at most `most`. */
    async newestGroups(user: string, most: number): Promise<string[]> {
      const reply = await asked(user, () => run<unknown[]>(redis, 'may-see', [slot(user), keys.user(user)], [most]));
      return reply.slice(1) as string[];
    },

    /** Resolves the texts at these positions of an inbox as they read now, null for a position without one. */
    async textsAt(user: string, positions: number[]): Promise<(string | null)[]> {
      if (positions.length === 0) return [];
      const reply = (await asked(user, () =>
        run<unknown[]>(redis, 'read-texts', [slot(user), keys.inbox(user), keys.overlays(user)], positions),
      )) as string[];
      return positions.map((position, i) => {
        const [name, text, field, overlay] = reply.slice(1 + 4 * i, 5 + 4 * i) as [string, string, string, string];
        if (text === '') return null;
        return served([{ position, name, text }], readOverlays(overlay === '' ? [] : [field, overlay]))[0]!.text;
      });
    },

    /** Removes what amendments have laid over messages that are gone. */
    async sweepOverlays(user: string): Promise<void> {
      const used = [slot(user), keys.inbox(user), keys.overlays(user)];
      openReply(await run<string>(redis, 'sweep-overlays', used, []));
    },

    /** Moves a read seq forward. Resolves the one now in force, and the user's routes if it has moved. */
    async read(
      user: string,
      conversation: string,
      seq: number,
      joined: number,
    ): Promise<{ seq: number; moved: Route[] | null }> {
      const reply = (await asked(user, () =>
        run<unknown[]>(redis, 'advance-read', [slot(user), keys.user(user)], [conversation, seq, joined]),
      )) as [string, string, number, string];
      return { seq: Number(reply[1]), moved: reply[2] === 1 ? readRoutes(reply[3]) : null };
    },

    /**
     * After a loss: installs what history knows of a user's conversations, each with its last seq, its newest known
     * amendment, and the seqs that do not count as unread. `done` says that these are the last rows. `epoch`: the one
     * that was known before history was read; throws ReadBeforeLoss if it is over.
     */
    async install(
      epoch: string,
      user: string,
      rows: { conversation: string; spans: Span[]; lastSeq: number; amendSeq: number; quiet: SeqRange[] }[],
      done: boolean,
    ): Promise<void> {
      const args = rows.flatMap(({ conversation, spans, lastSeq, amendSeq, quiet }) => [
        conversation,
        encodeSpans(spans),
        lastSeq,
        spans.at(-1)?.left === null ? 'm' : 'l',
        encodeSkips(quiet),
        amendSeq,
      ]);
      const reply = await run<string>(
        redis,
        'install-user',
        [
          slot(user),
          keys.user(user),
          keys.devices(user),
          ...keys.gapsAndIndex(user),
          keys.inbox(user),
          keys.overlays(user),
        ],
        [lossJump, done ? '1' : '0', epoch, ...args],
      );
      if (reply === 'closed') {
        help.closed();
        throw retryLater('storage is being opened');
      }
      currentReply(reply);
    },
  };
}

export type Inboxes = ReturnType<typeof createInboxes>;

function readEntries(flat: string[]): InboxEntry[] {
  const entries: InboxEntry[] = [];
  for (let i = 0; i < flat.length; i += 3) {
    entries.push({ position: Number(flat[i]), name: flat[i + 1]!, text: flat[i + 2]! });
  }
  return entries;
}

function readGaps(flat: string[]): Gap[] {
  const gaps: Gap[] = [];
  for (let i = 0; i < flat.length; i += 4) {
    gaps.push({
      position: Number(flat[i]),
      conversation: flat[i + 1]!,
      fromSeq: Number(flat[i + 2]),
      toSeq: Number(flat[i + 3]),
    });
  }
  return gaps;
}
