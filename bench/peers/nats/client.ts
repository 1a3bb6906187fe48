/**
 * A user of NATS JetStream, by NATS' text protocol: it publishes to the subject of its partner and waits for the
 * stream's acknowledgement. A durable consumer of its own pushes what is stored for it, and it acknowledges each.
 */
import { messageBody, readStamp } from '../../frames.ts';
import type { ConnectPeerUser } from '../peer.ts';
import { openUserTcp } from '../user-tcp.ts';

export const streamName = 'MESSAGES';
export const subjectOf = (user: string): string => `m.${user}`;
const deliverySubject = (user: string): string => `d.${user}`;
/** Answers to a user's own requests; the last part of a subject is the number of the message. */
const answersOf = (user: string): string => `a.${user}`;

const publish = (subject: string, payload: string, reply = ''): string =>
  `PUB ${subject}${reply === '' ? '' : ` ${reply}`} ${payload.length}\r\n${payload}\r\n`;

type Message = { subject: string; reply: string | undefined; payload: string };
type Parsed = { messages: Message[]; pings: number; error: string | undefined; used: number };

/** Takes the complete operations out of `text`. `MSG subject sid [reply] size`, then the payload. */
function parse(text: string): Parsed {
  const parsed: Parsed = { messages: [], pings: 0, error: undefined, used: 0 };
  for (;;) {
    const end = text.indexOf('\r\n', parsed.used);
    if (end < 0) return parsed;
    const line = text.slice(parsed.used, end);
    let next = end + 2;
    if (line.startsWith('MSG ')) {
      const [, subject = '', , third = '', fourth] = line.split(' ');
      const size = Number(fourth ?? third);
      if (text.length < next + size + 2) return parsed;
      const reply = fourth === undefined ? undefined : third;
      parsed.messages.push({ subject, reply, payload: text.slice(next, next + size) });
      next += size + 2;
    } else if (line === 'PING') parsed.pings += 1;
    else if (line.startsWith('-ERR')) parsed.error ??= line;
    parsed.used = next;
  }
}

const consumerOf = (user: string): string =>
  JSON.stringify({
    stream_name: streamName,
    config: {
      durable_name: user,
      deliver_subject: deliverySubject(user),
      filter_subject: subjectOf(user),
      deliver_policy: 'all',
      ack_policy: 'explicit',
    },
  });

export const connectNats: ConnectPeerUser = async (options) => {
  const { port, user, partner, onDelivered, onAccepted, onRefused, onLost } = options;
  const created = Promise.withResolvers<void>();
  const answers = answersOf(user);
  const createAnswer = `${answers}.create`;

  const answer = ({ subject, payload }: Message): void => {
    const refused = payload.includes('"error"');
    if (subject === createAnswer) {
      if (refused) created.reject(new Error(`NATS made no consumer: ${payload}`));
      else created.resolve();
      return;
    }
    const number = Number(subject.slice(answers.length + 1));
    if (refused) onRefused(number, payload);
    else onAccepted(number);
  };

  const connection = await openUserTcp({
    ...{ port, user, ready: created, onDelivered, onLost },
    read: (text, stamps) => {
      const { messages, pings, error, used } = parse(text);
      if (error !== undefined) throw new Error(`NATS said ${error}`);
      let out = 'PONG\r\n'.repeat(pings);
      for (const message of messages) {
        const stamp = message.subject.startsWith('a.') ? undefined : readStamp(message.payload);
        if (stamp === undefined) answer(message);
        else {
          stamps.push(stamp);
          out += publish(message.reply ?? '', '+ACK');
        }
      }
      return { used, out };
    },
  });
  connection.write(
    `CONNECT {"verbose":false,"pedantic":false,"headers":false}\r\n` +
      `SUB ${answers}.> 1\r\nSUB ${deliverySubject(user)} 2\r\n` +
      publish(`$JS.API.CONSUMER.DURABLE.CREATE.${streamName}.${user}`, consumerOf(user), createAnswer),
  );
  await created.promise;
  return {
    send: (stamps) => {
      let out = '';
      for (const { number, sentUs } of stamps)
        out += publish(subjectOf(partner), messageBody(number, sentUs), `${answers}.${number}`);
      connection.write(out);
    },
    close: connection.close,
  };
};
