import type { Connection, Device, Facts } from './facts.ts';

/** What every device sent itself: it is not pushed to it, and the server may move the device over it. */
export function sentBy(facts: Facts): (device: Device, id: { sender: string; clientId: string }) => boolean {
  const attempts = new Map<string, Set<string>>();
  const note = (connection: Connection | null, id: string): void => {
    if (connection === null) return;
    const device = `${connection.user}/${connection.device}`;
    const own = attempts.get(device) ?? new Set();
    attempts.set(device, own);
    own.add(id);
  };
  for (const sends of facts.sends.values())
    for (const { sender, clientId, attempts: all } of sends)
      for (const { connection } of all) note(connection, `${sender} ${clientId}`);
  for (const { by, clientId, attempts: all } of facts.amends.values())
    for (const { connection } of all) note(connection, `${by} ${clientId}`);
  return ({ user, device }, { sender, clientId }) =>
    attempts.get(`${user}/${device}`)?.has(`${sender} ${clientId}`) === true;
}
