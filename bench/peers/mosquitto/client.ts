/**
 * A user of MQTT 3.1.1: a persistent session, subscribed to a topic of its own. Everything is published at QoS 1, so
 * the server answers each message with PUBACK, and the recipient does the same.
 */
import { messageBody, readStamp, type Stamp } from '../../frames.ts';
import type { ConnectPeerUser } from '../peer.ts';
import { openUserTcp } from '../user-tcp.ts';

const kinds = { connect: 0x10, connack: 2, publish: 0x32, puback: 0x40, subscribe: 0x82, suback: 9 } as const;
const published = 3;
const acknowledged = 4;
const keepAliveSeconds = 600;

const word = (value: number): string => String.fromCharCode(value >> 8, value & 0xff);
const counted = (text: string): string => word(text.length) + text;

function packet(kind: number, content: string): string {
  let size = '';
  let left = content.length;
  do {
    size += String.fromCharCode((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>= 7;
  } while (left > 0);
  return String.fromCharCode(kind) + size + content;
}

const wordAt = (text: string, at: number): number => (text.charCodeAt(at) << 8) | text.charCodeAt(at + 1);

/** Calls `take` for each complete packet; returns how many characters they have. */
function eachPacket(text: string, take: (kind: number, content: string) => void): number {
  let used = 0;
  for (;;) {
    let [at, size, shift] = [used + 1, 0, 0];
    for (;;) {
      if (at >= text.length) return used;
      const byte = text.charCodeAt(at);
      at += 1;
      size |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) break;
    }
    if (text.length < at + size) return used;
    take(text.charCodeAt(used) >> 4, text.slice(at, at + size));
    used = at + size;
  }
}

/** Packet ids in turn: 0 is none. A user has far fewer messages in flight than there are ids. */
const idOf = (count: number): number => (count % 0xffff) + 1;

const topicOf = (user: string): string => `m/${user}`;

export const connectMqtt: ConnectPeerUser = async ({ port, user, partner, onDelivered, onAccepted, onLost }) => {
  const ready = Promise.withResolvers<void>();
  const topic = counted(topicOf(partner));
  const numbers = new Map<number, number>();
  let sent = 0;

  const take = (kind: number, content: string, stamps: Stamp[]): string => {
    if (kind === published) {
      const stamp = readStamp(content);
      if (stamp) stamps.push(stamp);
      return packet(kinds.puback, word(wordAt(content, 2 + wordAt(content, 0))));
    }
    if (kind === acknowledged) {
      const id = wordAt(content, 0);
      const number = numbers.get(id);
      if (number === undefined) throw new Error(`PUBACK of ${id}, which was not sent`);
      numbers.delete(id);
      onAccepted(number);
    } else if (kind === kinds.connack) {
      if (content.charCodeAt(1) !== 0) throw new Error(`CONNACK with ${content.charCodeAt(1)}`);
      return packet(kinds.subscribe, word(1) + counted(topicOf(user)) + '\x01');
    } else if (kind === kinds.suback) ready.resolve();
    return '';
  };

  const connection = await openUserTcp({
    ...{ port, user, ready, onDelivered, onLost },
    read: (text, stamps) => {
      let out = '';
      const used = eachPacket(text, (kind, content) => (out += take(kind, content, stamps)));
      return { used, out };
    },
  });
  // Level 4 is MQTT 3.1.1; without the flag "clean session" the session stays.
  connection.write(packet(kinds.connect, counted('MQTT') + '\x04\x00' + word(keepAliveSeconds) + counted(user)));
  await ready.promise;
  return {
    send: (stamps) => {
      let out = '';
      for (const { number, sentUs } of stamps) {
        const id = idOf(sent);
        sent += 1;
        if (numbers.has(id)) throw new Error('more messages in flight than MQTT has packet ids');
        numbers.set(id, number);
        out += packet(kinds.publish, topic + word(id) + messageBody(number, sentUs));
      }
      connection.write(out);
    },
    close: connection.close,
  };
};
