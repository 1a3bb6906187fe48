/**
 * Tracks every message of a run, warm-up included. The generator numbers messages from 0. A message is lost if the
 * server accepted it and its recipient never got it. It is duplicated for every repeated delivery.
 */

const flag = { accepted: 1, delivered: 2, refused: 4, returned: 8 } as const;

export function createLedger() {
  let flags = new Uint8Array(1 << 16);
  let senders = new Uint16Array(1 << 16);
  let sentAt = new Float64Array(1 << 16);
  let sent = 0;
  let accepted = 0;
  let delivered = 0;
  let refused = 0;
  let duplicated = 0;
  let returned = 0;

  const grow = (): void => {
    const size = flags.length * 2;
    const grown = { flags: new Uint8Array(size), senders: new Uint16Array(size), sentAt: new Float64Array(size) };
    grown.flags.set(flags);
    grown.senders.set(senders);
    grown.sentAt.set(sentAt);
    ({ flags, senders, sentAt } = grown);
  };

  const known = (number: number): number => {
    if (!(number >= 0 && number < sent)) throw new Error(`a message came that was never sent: ${number}`);
    return number;
  };

  return {
    /** Adds the next message; returns its number. */
    send: (sender: number, sentUs: number): number => {
      if (sent === flags.length) grow();
      senders[sent] = sender;
      sentAt[sent] = sentUs;
      sent += 1;
      return sent - 1;
    },
    sender: (number: number): number => senders[known(number)]!,
    sentUs: (number: number): number => sentAt[known(number)]!,
    accept: (number: number): void => {
      if (flags[known(number)]! & flag.accepted) return;
      flags[number]! |= flag.accepted;
      accepted += 1;
    },
    /** The server answered with an error: the message may be delivered or not, and does not count as lost. */
    refuse: (number: number): void => {
      if (flags[known(number)]! & flag.refused) return;
      flags[number]! |= flag.refused;
      refused += 1;
    },
    /** It reached its addressee. False if the addressee had this message before. */
    deliver: (number: number): boolean => {
      if (flags[known(number)]! & flag.delivered) {
        duplicated += 1;
        return false;
      }
      flags[number]! |= flag.delivered;
      delivered += 1;
      return true;
    },
    /** The sender's own device got it too, in its backlog. False if it had this message before. */
    giveBack: (number: number): boolean => {
      if (flags[known(number)]! & flag.returned) {
        duplicated += 1;
        return false;
      }
      flags[number]! |= flag.returned;
      returned += 1;
      return true;
    },
    counts: () => ({ sent, accepted, delivered, refused, duplicated, returned }),
    /** Number of messages that still await an answer, or the delivery after `accepted`. */
    open: (): number => {
      let open = 0;
      for (let number = 0; number < sent; number += 1) {
        const state = flags[number]!;
        const answered = (state & (flag.accepted | flag.refused)) !== 0;
        const awaited = (state & flag.accepted) !== 0 && (state & flag.delivered) === 0;
        if (!answered || awaited) open += 1;
      }
      return open;
    },
    lost: (): number => {
      let lost = 0;
      for (let number = 0; number < sent; number += 1) {
        if ((flags[number]! & (flag.accepted | flag.delivered)) === flag.accepted) lost += 1;
      }
      return lost;
    },
  };
}
