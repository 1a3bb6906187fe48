import type { Redis } from 'ioredis';
import { orRetryLater } from '../failures.ts';
import type { Keys } from '../keys.ts';

/** Where a device is connected. */
export type Route = { gateway: string; session: string; device: string };

export const readRoutes = (text: string): Route[] =>
  text === ''
    ? []
    : text.split(';').map((route) => {
        const [gateway, session, device] = route.split(' ') as [string, string, string];
        return { gateway, session, device };
      });

/**
 * Resolves where a device is connected now (null: nowhere), and its position. These are two reads, not one step: the
 * caller must tolerate that the device has moved in between.
 */
export async function findDevice(
  redis: Redis,
  keys: Keys,
  user: string,
  device: string,
): Promise<{ route: Route | null; position: number }> {
  const [routes, remembered] = await orRetryLater(
    Promise.all([redis.hget(keys.user(user), 'routes'), redis.hget(keys.devices(user), device)]),
  );
  return {
    route: readRoutes(routes ?? '').find((one) => one.device === device) ?? null,
    position: Number((remembered ?? '0').split(' ')[0]),
  };
}
