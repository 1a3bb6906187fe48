/**
 * The users of a run against a peer: the same pairs, windows and counts as in `../traffic.ts`. A message that a user
 * gets from its partner with a lower number than one before is reordered.
 */
import { openMany } from '../connect-user.ts';
import type { Stamp } from '../frames.ts';
import { createLedger } from '../ledger.ts';
import { createPace } from '../pace.ts';
import { nowUs, userName, type Traffic, type TrafficOptions } from '../traffic.ts';
import { peerClients, type PeerName } from './clients.ts';
import type { ConnectPeerUser, PeerUser } from './peer.ts';

/** Connects all users. `onDelivered` and `onAccepted` get the microseconds since the send. */
export async function startPeerTraffic(
  peer: PeerName,
  { port, authSecret, users: count }: TrafficOptions,
  onDelivered: (us: number) => void,
  onAccepted: (us: number) => void,
): Promise<Traffic> {
  const connect: ConnectPeerUser = peerClients[peer];
  const ledger = createLedger();
  const errors: Record<string, number> = {};
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {}); // Awaiting code gets the rejection; until then nobody may be listening.
  const newest = Array.from({ length: count }, () => -1);
  let reordered = 0;
  let strayed = 0;
  /** Empty until all users are connected; nothing is sent before. */
  let users: PeerUser[] = [];

  const pace = createPace(count, (index, messages) => {
    const stamps: Stamp[] = [];
    for (let made = 0; made < messages; made += 1) {
      const sentUs = nowUs();
      stamps.push({ number: ledger.send(index, sentUs), sentUs });
    }
    if (messages > 0) users[index]?.send(stamps);
  });

  const deliver = (index: number, { number, sentUs }: Stamp): number => {
    if (ledger.sender(number) !== (index ^ 1)) {
      strayed += 1;
      return 0;
    }
    if (!ledger.deliver(number)) return 0;
    onDelivered(nowUs() - sentUs);
    if (number < newest[index]!) reordered += 1;
    newest[index] = Math.max(newest[index]!, number);
    return 1;
  };

  users = await openMany(0, count, (index) =>
    connect({
      port,
      authSecret,
      user: userName(index),
      partner: userName(index ^ 1),
      onDelivered: (stamps) => {
        let fresh = 0;
        for (const stamp of stamps) fresh += deliver(index, stamp);
        pace.refill(index ^ 1, fresh);
      },
      onAccepted: (number) => {
        ledger.accept(number);
        onAccepted(nowUs() - ledger.sentUs(number));
      },
      onRefused: (number, code) => {
        errors[code] = (errors[code] ?? 0) + 1;
        ledger.refuse(number);
        pace.refill(index, 1);
      },
      onLost: failure.reject,
    }),
  );

  return {
    ledger,
    failed: failure.promise,
    faults: () => ({ reordered, strayed, errors }),
    closedLoop: pace.closedLoop,
    openLoop: pace.openLoop,
    close: async () => void (await Promise.all(users.map((user) => user.close()))),
  };
}
