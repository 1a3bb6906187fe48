import type { Redis } from 'ioredis';
import { Refusal, retryLater } from '../../model/errors.ts';
import { mostDevices } from '../../model/limits.ts';
import { openReply, orRetryLater } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { lossJump } from '../loss.ts';
import { run } from '../scripts.ts';
import type { Asking } from './asking.ts';
import { readRoutes, type Route } from './device-routes.ts';
import { readLarges } from './user-fields.ts';

/**
 * Maximum removed devices of which a user's tokens are refused by name. Beyond it, the oldest removal applies to all
 * tokens of the user.
 */
const mostRevokedDevices = 100;
const forgetDeviceMs = 60 * 86_400_000;
/** An ephemeral device is forgotten this long after its connection has ended (ms). */
export const forgetEphemeralMs = 60_000;

/** A device that a user has, as it is remembered. `lastSeen` in ms since 1970. */
export type RememberedDevice = {
  device: string;
  position: number;
  lastSeen: number;
  online: boolean;
  ephemeral: boolean;
};

export type Attached = {
  epoch: string;
  head: number;
  /** The position that the server remembers of the device. */
  position: number;
  /** The position where this connection's backlog begins. */
  from: number;
  reset: boolean;
  /** The connection of the same device that this one replaces. */
  replaced: { gateway: string; session: string } | null;
  /** The large groups that the user is a member of. */
  larges: string[];
  /** The version of the user's settings that was copied to its shard. */
  settingsVersion: number;
  /** No live route was there before: the user has come online. */
  isFirst: boolean;
  /** The gateway's lease in the shard had lapsed. Other users that it holds there have come online again. */
  leaseLapsed: boolean;
};

export type Advance = {
  user: string;
  epoch: string;
  device: string;
  position: number;
  gateway: string;
  session: string;
};

/** What a renewal does for presence. */
export type RenewsPresence = {
  /** The channel hears of it if the lease had lapsed. */
  tells: boolean;
  /** A hello has renewed a lapsed lease before this renewal could. */
  hadLapsed: boolean;
  /** The live gateways of the shard are wanted. */
  asksGateways: boolean;
};

/** `gateways`: the live ones of the shard, if asked for. */
export type Renewed = {
  epoch: string;
  gateways: string[];
  users: { head: number; routes: Route[]; larges: string[]; settingsVersion: number }[];
};

/** `epoch`: another epoch is current. */
export type AdvanceOutcome = 'moved' | 'same' | 'above' | 'replaced' | 'epoch';

/** A field of a move, '' if the move before has the same. */
const unlessRepeated = (moves: Advance[], name: 'epoch' | 'gateway', i: number): string =>
  i > 0 && moves[i - 1]![name] === moves[i]![name] ? '' : moves[i]![name];

/** The devices of users: their connections, received positions, and the leases of gateways that hold them. */
export function createDevices(redis: Redis, keys: Keys, asked: Asking, closed: () => void) {
  const slot = (user: string): string => keys.shardSlot(keys.shardOf(user));
  const channel = (user: string): string => keys.presence(keys.shardOf(user));
  /** The epoch of the newest hello. Sessions keep it, so equal ones are one text. */
  let newestEpoch = '';

  return {
    /**
     * Registers a device's connection and resolves where its backlog begins. Rejects with `rate_limited` if the user
     * has the maximum of other devices online, and with `unauthenticated` if the token was revoked. `tells`: whether
     * the presence channel hears of it. `ephemeral`: the device is forgotten soon after its connection; only for a
     * deployment at formats 4.
     */
    async attach(
      user: string,
      device: string,
      gateway: string,
      session: string,
      asks: { position?: number | undefined; epoch?: string | undefined; ephemeral?: boolean },
      leaseMs: number,
      tokenIssuedAt: number,
      tells: boolean,
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
            tells ? channel(user) : '',
            asks.ephemeral === true ? '1' : '0',
            forgetEphemeralMs,
          ],
        ),
      )) as [string, string, string, string, string, number, string, string, string, number, number];
      if (reply[0] === 'revoked') throw new Refusal('unauthenticated', 'the token is not valid');
      if (reply[0] === 'full')
        throw new Refusal(
          'rate_limited',
          `a user has at most ${mostDevices} ${asks.ephemeral === true ? 'ephemeral ' : ''}devices, and all are online`,
        );
      if (reply[1] !== newestEpoch) newestEpoch = reply[1];
      const [oldGateway, oldSession] = reply[6].split(' ') as [string, string];
      return {
        epoch: newestEpoch,
        head: Number(reply[2]),
        position: Number(reply[3]),
        from: Number(reply[4]),
        reset: reply[5] === 1,
        replaced: reply[6] === '' ? null : { gateway: oldGateway, session: oldSession },
        larges: readLarges(reply[7]),
        settingsVersion: Number(reply[8]),
        isFirst: reply[9] === 1,
        leaseLapsed: reply[10] === 1,
      };
    },

    /**
     * Removes the route of a connection that has ended. Resolves whether the user has a live route now. Rejects with
     * SlotClosed, or as Redis does.
     */
    async detach(user: string, device: string, gateway: string, session: string): Promise<boolean> {
      const used = [slot(user), keys.user(user), keys.devices(user)];
      const reply = await run<'online' | 'offline' | 'closed'>(redis, 'detach-device', used, [
        gateway,
        session,
        device,
      ]);
      return openReply(reply) === 'online';
    },

    /**
     * Tells the presence channel that a user is offline, unless a device is connected, or one was within `afterMs`.
     * Resolves the milliseconds after which to ask again; 0: it is settled. Rejects with SlotClosed, or as Redis does.
     */
    async settlePresence(user: string, afterMs: number): Promise<{ again: number; told: boolean }> {
      const used = [slot(user), keys.user(user), keys.devices(user)];
      const [word, ms] = openReply(
        await run<[string, string?]>(redis, 'settle-presence', used, [user, channel(user), afterMs]),
      );
      return { again: word === 'early' ? Number(ms) : 0, told: word === 'offline' };
    },

    /**
     * Forgets a device. From now on, tokens for it that were issued before `seconds` (since 1970) are refused. Resolves
     * the route that it had, `offline` if it had none, null if the device is not known.
     */
    async forget(
      user: string,
      device: string,
      seconds: number,
    ): Promise<{ gateway: string; session: string } | 'offline' | null> {
      const [known, route] = await orRetryLater(
        run<[number, string] | ['closed']>(
          redis,
          'forget-device',
          [slot(user), keys.user(user), keys.devices(user), keys.revokedDevices(user), keys.revoked(user)],
          [device, seconds, mostRevokedDevices],
        ).then(openReply<[number, string]>),
      );
      if (route !== '') return { gateway: route.split(' ')[0]!, session: route.split(' ')[1]! };
      return known === 1 ? 'offline' : null;
    },

    /** Resolves every remembered device. */
    async devices(user: string): Promise<RememberedDevice[]> {
      const reply = (await asked(user, () =>
        run<unknown[]>(
          redis,
          'read-devices',
          [slot(user), keys.user(user), keys.devices(user)],
          [forgetDeviceMs, forgetEphemeralMs],
        ),
      )) as (string | number)[];
      const devices: RememberedDevice[] = [];
      for (let i = 1; i < reply.length; i += 5) {
        devices.push({
          device: String(reply[i]),
          position: Number(reply[i + 1]),
          lastSeen: Number(reply[i + 2]),
          online: reply[i + 3] === 1,
          ephemeral: reply[i + 4] === 1,
        });
      }
      return devices;
    },

    /**
     * Moves devices forward; resolves one outcome per move. All users must be of one group (Keys.groupOf), since they
     * share a script call.
     */
    async advance(moves: Advance[]): Promise<AdvanceOutcome[]> {
      const reply = await orRetryLater(
        run<(AdvanceOutcome | 'closed')[]>(
          redis,
          'advance-devices',
          moves.map(({ user }) => keys.user(user)),
          moves.flatMap(({ user, device, position, session }, i) => [
            keys.shardBase(user),
            unlessRepeated(moves, 'epoch', i),
            device,
            position,
            unlessRepeated(moves, 'gateway', i),
            session,
          ]),
        ),
      );
      if (reply.includes('closed')) {
        closed();
        throw retryLater('storage is being opened');
      }
      return reply as AdvanceOutcome[];
    },

    /**
     * Renews a gateway's lease in a shard, and resolves heads, routes, large groups and the versions of the settings of
     * `users`, in their order. Null if the slot is not open. Without users there is no lease.
     */
    async renew(
      shard: number,
      gateway: string,
      users: string[],
      leaseMs: number,
      presence: RenewsPresence,
    ): Promise<Renewed | null> {
      const [epoch, live, ...reply] = await run<[string, string, ...string[]]>(
        redis,
        'renew-gateway',
        [keys.shardSlot(shard), ...users.map((user) => keys.user(user))],
        [
          gateway,
          leaseMs,
          presence.tells ? keys.presence(shard) : '',
          presence.hadLapsed ? '1' : '0',
          presence.asksGateways ? '1' : '0',
        ],
      );
      if (epoch === '') return null;
      return {
        epoch,
        gateways: live === '' ? [] : live.split(','),
        users: users.map((_, i) => ({
          head: Number(reply[i * 4]),
          routes: readRoutes(reply[1 + i * 4]!),
          larges: readLarges(reply[2 + i * 4]!),
          settingsVersion: Number(reply[3 + i * 4]),
        })),
      };
    },
  };
}
