import type { Device, Facts } from './facts.ts';

/** What every device sent itself: it is not pushed to it, and the server may move the device over it. */
export function sentBy(facts: Facts): (device: Device, id: { sender: string; clientId: string }) => boolean {
  const attempts = new Map<string, Set<string>>();
  for (const sends of facts.sends.values())
    for (const { sender, clientId, attempts: all } of sends)
      for (const { connection } of all) {
        if (connection === null) continue;
        const device = `${connection.user}/${connection.device}`;
        const own = attempts.get(device) ?? new Set();
        attempts.set(device, own);
        own.add(`${sender} ${clientId}`);
      }
  return ({ user, device }, { sender, clientId }) =>
    attempts.get(`${user}/${device}`)?.has(`${sender} ${clientId}`) === true;
}
